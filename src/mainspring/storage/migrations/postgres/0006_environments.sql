-- What the steps of a run ran in: the digest of a blob (docs/reference/formats.md).
ALTER TABLE runs ADD COLUMN environment TEXT COLLATE "C";

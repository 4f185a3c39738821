-- Datasets. `last` is the highest number that was ever given, so that none is given twice.
-- `manifest` to `type` are the columns of an artifact: what a step is given.

CREATE TABLE datasets (
    name TEXT NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE dataset_versions (
    id INTEGER PRIMARY KEY,
    dataset TEXT NOT NULL REFERENCES datasets (name),
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    manifest TEXT NOT NULL,
    manifest_size INTEGER NOT NULL,
    format TEXT NOT NULL,
    type TEXT NOT NULL,
    created REAL NOT NULL,
    files INTEGER NOT NULL,
    size INTEGER NOT NULL,
    rows INTEGER,
    labelled INTEGER,
    profile TEXT,
    origin TEXT NOT NULL,
    message TEXT NOT NULL,
    pinned INTEGER NOT NULL,
    UNIQUE (dataset, number)
);

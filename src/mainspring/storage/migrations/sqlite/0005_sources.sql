-- What the datasets and models that a pipeline names stood for in a run: JSON, by name.
ALTER TABLE runs ADD COLUMN sources TEXT NOT NULL DEFAULT '{}';

-- Imported models. `last` is the highest number that was given. `manifest` to `data_only` are the
-- columns of an artifact: what a step is given.
CREATE TABLE models (
    name TEXT NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE model_versions (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL REFERENCES models (name),
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    manifest TEXT NOT NULL,
    manifest_size INTEGER NOT NULL,
    format TEXT NOT NULL,
    type TEXT NOT NULL,
    data_only INTEGER NOT NULL,
    created REAL NOT NULL,
    files INTEGER NOT NULL,
    size INTEGER NOT NULL,
    licence TEXT NOT NULL,
    origin TEXT NOT NULL,
    digests TEXT NOT NULL,
    signature TEXT,
    UNIQUE (model, number)
);

-- Each row is a move: the newest one of an alias says where it points. Nothing is rewritten.
CREATE TABLE model_aliases (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    alias TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    FOREIGN KEY (model, number) REFERENCES model_versions (model, number)
);
CREATE INDEX model_aliases_model ON model_aliases (model);

CREATE TRIGGER model_versions_unchanged BEFORE UPDATE ON model_versions
BEGIN
    SELECT RAISE(ABORT, 'versions and moves are never changed');
END;
CREATE TRIGGER model_aliases_unchanged BEFORE UPDATE ON model_aliases
BEGIN
    SELECT RAISE(ABORT, 'versions and moves are never changed');
END;
CREATE TRIGGER model_aliases_undeleted BEFORE DELETE ON model_aliases
BEGIN
    SELECT RAISE(ABORT, 'versions and moves are never changed');
END;

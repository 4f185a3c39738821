-- The first format. Times are seconds since the epoch; JSON is text; docs/reference/database.md
-- says what each table is for. `seed` is decimal text: 64 unsigned bits do not fit INTEGER.

CREATE TABLE specs (
    digest TEXT NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
);

CREATE TABLE statics (
    digest TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    pipeline TEXT NOT NULL,
    status TEXT NOT NULL,
    wish TEXT NOT NULL,
    spec TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    parameters TEXT NOT NULL,
    seed TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    parent TEXT,
    reason TEXT,
    forced TEXT NOT NULL DEFAULT '[]',
    driver TEXT
);
CREATE INDEX runs_created ON runs (created);
CREATE INDEX runs_driver ON runs (driver) WHERE ended IS NULL AND driver IS NOT NULL;

-- `pipeline` and `created` are the run's, repeated here for tasks_history.
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    node TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    pending INTEGER NOT NULL CHECK (pending >= 0),
    parent INTEGER,
    idx INTEGER,
    total INTEGER,
    expanded INTEGER NOT NULL DEFAULT 0,
    key TEXT,
    static TEXT,
    seed TEXT,
    tries INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL,
    awaits TEXT,
    reason TEXT,
    source TEXT,
    error TEXT,
    started REAL,
    ended REAL,
    pipeline TEXT NOT NULL,
    created REAL NOT NULL,
    inputs TEXT
);
CREATE UNIQUE INDEX tasks_path ON tasks (run, path);
-- The queue: the rowid that ends each entry keeps the ready tasks of a run in order.
CREATE INDEX tasks_status ON tasks (run, status);
CREATE INDEX tasks_parent ON tasks (parent, idx) WHERE parent IS NOT NULL;
CREATE INDEX tasks_ready_child ON tasks (parent) WHERE status = 'ready' AND parent IS NOT NULL;
CREATE INDEX tasks_computing ON tasks (key) WHERE status = 'running';
CREATE INDEX tasks_awaiting ON tasks (awaits) WHERE awaits IS NOT NULL;
CREATE INDEX tasks_history ON tasks (pipeline, path, created) WHERE key IS NOT NULL;

CREATE TABLE edges (
    up INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    down INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    PRIMARY KEY (up, down)
) WITHOUT ROWID;
CREATE INDEX edges_down ON edges (down);

CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    run TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    engine TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    started REAL NOT NULL,
    ended REAL,
    error TEXT,
    usage TEXT,
    ingested INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX attempts_task ON attempts (task);
-- At most one attempt of a task is running (docs/protocol.md); it is also how they are found.
CREATE UNIQUE INDEX attempts_running ON attempts (task) WHERE status = 'running';

CREATE TABLE artifacts (
    task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    format TEXT NOT NULL,
    type TEXT NOT NULL,
    data_only INTEGER NOT NULL,
    count INTEGER,
    PRIMARY KEY (task, place)
) WITHOUT ROWID;

-- What was computed for a key. The lowest id of a key was committed first, and is reused.
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    run TEXT NOT NULL,
    task TEXT NOT NULL,
    attempt TEXT NOT NULL,
    outputs TEXT NOT NULL,
    reads TEXT NOT NULL,
    impure TEXT NOT NULL,
    ended REAL NOT NULL,
    wall REAL NOT NULL
);
CREATE INDEX results_key ON results (key);
CREATE INDEX results_run ON results (run);

CREATE TABLE divergences (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    task TEXT NOT NULL,
    output TEXT NOT NULL,
    source TEXT NOT NULL
);
CREATE INDEX divergences_run ON divergences (run);

-- The latest wall-clock seconds of a node, so that planning need not look through all runs.
CREATE TABLE expected (
    pipeline TEXT NOT NULL,
    node TEXT NOT NULL,
    wall REAL NOT NULL,
    PRIMARY KEY (pipeline, node)
) WITHOUT ROWID;

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    chain TEXT NOT NULL,
    run TEXT NOT NULL,
    body TEXT NOT NULL,
    digest TEXT NOT NULL,
    previous TEXT NOT NULL,
    UNIQUE (chain, previous)
);
CREATE INDEX decisions_run ON decisions (run);
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions are append-only');
END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions are append-only');
END;

-- One metric of one attempt, with its running summary. NULL stands for "not a number".
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    task INTEGER NOT NULL,
    attempt TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    last REAL,
    step REAL,
    minimum REAL,
    maximum REAL,
    UNIQUE (attempt, name)
);
CREATE INDEX series_run ON series (run, task, name);

CREATE TABLE points (
    series INTEGER NOT NULL,
    place INTEGER NOT NULL,
    step REAL,
    value REAL,
    at REAL NOT NULL,
    PRIMARY KEY (series, place)
) WITHOUT ROWID;

CREATE TABLE media (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    task INTEGER NOT NULL,
    attempt TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    mime TEXT NOT NULL,
    step REAL
);
CREATE INDEX media_run ON media (run);

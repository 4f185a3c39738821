-- What verifying a run came to. `whole` is 0 where only some of its tasks were looked at.

CREATE TABLE verifications (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    at REAL NOT NULL,
    verdict TEXT NOT NULL,
    whole INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX verifications_run ON verifications (run);

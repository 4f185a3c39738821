-- Which runs were made elsewhere: from which capsule they came, and whose key vouches for them.
CREATE TABLE imports (
    run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    capsule TEXT NOT NULL,
    signer TEXT NOT NULL,
    signer_name TEXT NOT NULL,
    pickles INTEGER NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID;

-- Which runs were made elsewhere: from which capsule they came, and whose key vouches for them.
CREATE TABLE imports (
    run TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    capsule TEXT COLLATE "C" NOT NULL,
    signer TEXT COLLATE "C" NOT NULL,
    signer_name TEXT COLLATE "C" NOT NULL,
    pickles BIGINT NOT NULL,
    at DOUBLE PRECISION NOT NULL
);

-- Decisions: append-only (triggers see to it) and hash-chained, one chain per pipeline.

-- name: last
SELECT digest FROM decisions WHERE chain = ? ORDER BY id DESC LIMIT 1

-- name: add
INSERT INTO decisions (chain, run, body, digest, previous) VALUES (?, ?, ?, ?, ?)

-- name: of_run
SELECT body, digest FROM decisions WHERE run = ? ORDER BY id

-- name: all
SELECT body, digest FROM decisions ORDER BY id

-- name: chained
SELECT chain, body, digest, previous FROM decisions ORDER BY chain, id

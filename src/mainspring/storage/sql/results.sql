-- The cache: what was computed for which key, and what is remembered for planning.

-- name: add_static
INSERT INTO statics (digest, body) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING

-- name: add
INSERT INTO results (key, run, task, attempt, outputs, reads, impure, ended, wall)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: lookup
SELECT key, run, task, attempt, outputs, reads, impure, ended, wall
FROM results WHERE key = ? ORDER BY id

-- name: diverged
INSERT INTO divergences (run, task, output, source) VALUES (?, ?, ?, ?)

-- name: divergences
SELECT task, output, source FROM divergences WHERE run = ? ORDER BY id

-- name: previous
SELECT t.run, t.path, t.key, s.body, t.inputs, t.seed
FROM tasks t JOIN statics s ON s.digest = t.static
WHERE t.pipeline = ? AND t.path = ? AND t.key IS NOT NULL
ORDER BY t.created DESC, t.id DESC LIMIT 1

-- name: key_parts
SELECT t.run, t.path, t.key, s.body, t.inputs, t.seed
FROM tasks t JOIN statics s ON s.digest = t.static
WHERE t.id = ? AND t.key IS NOT NULL

-- name: expected
SELECT node, wall FROM expected WHERE pipeline = ?

-- name: outputs
SELECT outputs FROM results

-- name: delete
DELETE FROM results WHERE run = ?

-- name: delete_divergences
DELETE FROM divergences WHERE run = ?

-- Runs that were made elsewhere: where they came from, and what a run's own turns write of a task.

-- name: add
INSERT INTO imports (run, capsule, signer, signer_name, pickles, at) VALUES (?, ?, ?, ?, ?, ?)

-- name: of_run
SELECT run, capsule, signer, signer_name, pickles, at FROM imports WHERE run = ?

-- name: restore
UPDATE tasks SET total = ?, expanded = ?, tries = ?, lost = ?, attempts = ?, error = ?,
    started = ?, ended = ?
WHERE id = ?

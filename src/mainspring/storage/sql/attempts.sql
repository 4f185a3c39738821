-- Attempts: who tries which task, and what came of it.

-- fragment: columns
id, task, run, number, status, engine, epoch, started, ended, error, usage

-- name: add
INSERT INTO attempts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: finish
-- No row moves when another engine has taken the attempt over, or when it is settled.
UPDATE attempts SET status = ?, ended = ?, error = ?, usage = ?
WHERE id = ? AND engine = ? AND epoch = ? AND status = 'running'

-- name: take_over
UPDATE attempts SET epoch = epoch + 1, engine = ?
WHERE status = 'running' AND engine = ?
RETURNING {columns}

-- name: of_task
SELECT {columns} FROM attempts WHERE task = ? ORDER BY number

-- name: running
-- attempts_running holds no more of them than there are workers.
SELECT {columns} FROM attempts WHERE run = ? AND status = 'running' ORDER BY task

-- name: engines
SELECT DISTINCT engine FROM attempts WHERE status = 'running'

-- name: ingested
SELECT ingested FROM attempts WHERE id = ?

-- name: ingest
UPDATE attempts SET ingested = ? WHERE id = ?

-- Runs and the specs that they execute.

-- fragment: columns
id, pipeline, status, wish, spec, snapshot, parameters, seed, created, started, ended, parent, reason,
forced, sources, environment

-- name: add_spec
INSERT INTO specs (digest, body) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING

-- name: add
INSERT INTO runs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: get
SELECT {columns} FROM runs WHERE id = ?

-- name: latest
SELECT {columns} FROM runs ORDER BY created DESC, number DESC LIMIT 1

-- name: by_prefix
-- The second parameter is the first text after all that begin with the prefix.
SELECT {columns} FROM runs WHERE id >= ? AND id < ? ORDER BY created DESC, number DESC LIMIT 6

-- name: list
-- Newest first along runs_created; a filter that is NULL lets everything pass.
SELECT {columns} FROM runs
WHERE (:pipeline IS NULL OR pipeline = :pipeline)
  AND (:prefix IS NULL OR substr(id, 1, length(:prefix)) = :prefix)
  AND (:status IS NULL OR instr(:status, ' ' || status || ' ') > 0)
ORDER BY created DESC, number DESC LIMIT :limit

-- name: numbered
SELECT {columns} FROM runs WHERE number >= ? AND number < ? ORDER BY number

-- name: move
-- `started` is set once; `ended` is NULL again when a run is reopened.
UPDATE runs SET status = :status, reason = :reason, ended = :ended,
    started = coalesce(started, :started)
WHERE id = :run

-- name: set_wish
UPDATE runs SET wish = ? WHERE id = ?

-- name: set_driver
UPDATE runs SET driver = ? WHERE id = ?

-- name: driver
SELECT driver FROM runs WHERE id = ?

-- name: drivers
SELECT DISTINCT driver FROM runs WHERE ended IS NULL AND driver IS NOT NULL

-- name: pipeline
SELECT pipeline, created FROM runs WHERE id = ?

-- name: spec
SELECT body FROM specs WHERE digest = ?

-- name: delete
-- Tasks, edges, attempts and artifacts go with it (ON DELETE CASCADE).
DELETE FROM runs WHERE id = ? RETURNING spec

-- name: delete_spec
DELETE FROM specs WHERE digest = :spec AND NOT EXISTS (SELECT 1 FROM runs WHERE spec = :spec)

-- name: sources
SELECT sources FROM runs WHERE sources <> '{}'

-- name: snapshots
SELECT DISTINCT snapshot FROM runs

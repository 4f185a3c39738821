-- PostgreSQL's own versions of statements in ../tasks.sql.

-- name: new_ids
-- A sequence, since others may add tasks at the same time; rising, but perhaps with gaps.
SELECT nextval('task_ids') FROM generate_series(1, ?)

-- name: digests
SELECT DISTINCT digest FROM artifacts
UNION SELECT i.value ->> 0 FROM tasks t, json_each(t.inputs::json) i

-- PostgreSQL's own versions of statements in ../sweep.sql.

-- name: inputs
SELECT DISTINCT t.run, i.value ->> 0 FROM tasks t, json_each(t.inputs::json) i
WHERE t.id >= ? AND t.id < ?

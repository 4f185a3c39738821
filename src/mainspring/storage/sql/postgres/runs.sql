-- PostgreSQL's own versions of statements in ../runs.sql.

-- name: list
SELECT {columns} FROM runs
WHERE (:pipeline::text IS NULL OR pipeline = :pipeline)
  AND (:prefix::text IS NULL OR starts_with(id, :prefix))
  AND (:status::text IS NULL OR strpos(:status, ' ' || status || ' ') > 0)
ORDER BY created DESC, number DESC LIMIT :limit

-- name: lock
-- In order, so that two transactions never wait for each other. Not FOR UPDATE: rows of other
-- tables that refer to a run may be added meanwhile.
SELECT id FROM runs WHERE id = ANY (?) ORDER BY id FOR NO KEY UPDATE

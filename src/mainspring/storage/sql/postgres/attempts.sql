-- PostgreSQL's own versions of statements in ../attempts.sql.

-- name: take_over
-- Two engines that find the same one dead must not wait for each other's rows: each takes what is
-- free, and nothing twice.
UPDATE attempts SET epoch = epoch + 1, engine = ?
WHERE id IN (SELECT id FROM attempts WHERE status = 'running' AND engine = ?
             FOR UPDATE SKIP LOCKED)
RETURNING {columns}

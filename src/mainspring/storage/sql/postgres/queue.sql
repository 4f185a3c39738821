-- PostgreSQL's own versions of statements in ../queue.sql.

-- name: ready
SELECT {columns} FROM runs r JOIN tasks t ON t.run = r.id
WHERE r.id = ? AND r.wish = 'run' AND t.status = 'ready' AND t.not_before IS NULL
  AND t.node <> ALL (ARRAY(SELECT json_array_elements_text(?::json)))
ORDER BY t.id LIMIT ?

-- name: computing
-- See claim_key in the first migration: the lock, and only then the question.
SELECT claim_key(?, ?)

-- name: wake
-- A row that another transaction holds is passed over; `wake_stale` finds it later.
UPDATE tasks SET status = 'ready', awaits = NULL WHERE id IN
    (SELECT id FROM tasks WHERE awaits = ? AND status = 'waiting' FOR UPDATE SKIP LOCKED)

-- name: add_expected
-- An estimate: whoever is not the first to write it now leaves it.
INSERT INTO expected (pipeline, node, wall) SELECT pipeline, node, ? FROM tasks WHERE id = ?
    AND pg_try_advisory_xact_lock(hashtextextended('expected ' || pipeline || ' ' || node, 0))
ON CONFLICT (pipeline, node) DO UPDATE SET wall = excluded.wall

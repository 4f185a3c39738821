-- The moves of docs/protocol.md. Each is a compare-and-set on the state that it starts from.
-- ({columns} is the one of tasks.sql.)

-- fragment: unsettled
('pending', 'ready', 'running', 'open', 'waiting')

-- name: of_attempt
SELECT {columns} FROM attempts a JOIN tasks t ON t.id = a.task WHERE a.id = ?

-- name: ready
-- tasks_now gives them in order of id, so LIMIT ends the search early.
SELECT {columns} FROM runs r JOIN tasks t ON t.run = r.id
WHERE r.id = ? AND r.wish = 'run' AND t.status = 'ready' AND t.not_before IS NULL
  AND t.node NOT IN (SELECT value FROM json_each(?))
ORDER BY t.id LIMIT ?

-- name: delayed
-- Along tasks_delayed: those whose wait ends first come first.
SELECT {columns} FROM runs r JOIN tasks t ON t.run = r.id
WHERE r.id = ? AND r.wish = 'run' AND t.status = 'ready' AND t.not_before <= ?
ORDER BY t.not_before LIMIT ?

-- name: ready_now
SELECT 1 FROM runs r JOIN tasks t ON t.run = r.id
WHERE r.id = ? AND r.wish = 'run' AND t.status = 'ready' AND t.not_before IS NULL LIMIT 1

-- name: next_ready
SELECT min(t.not_before) FROM runs r JOIN tasks t ON t.run = r.id
WHERE r.id = ? AND r.wish = 'run' AND t.status = 'ready'

-- name: begin
UPDATE tasks SET status = 'running', attempts = attempts + 1, key = ?, static = ?, seed = ?,
    inputs = ?, reason = ?, not_before = NULL, started = coalesce(started, ?)
WHERE id = ? AND status = 'ready'

-- name: settle
UPDATE tasks SET status = ?, ended = ?, reason = coalesce(?, reason),
    source = coalesce(?, source), error = ?, pending = 0, not_before = NULL
WHERE id = ? AND status IN {unsettled}

-- name: set_key
-- Apart from `settle`, so that the usual settling leaves the indexes on the key alone.
UPDATE tasks SET key = coalesce(?, key), static = coalesce(?, static), seed = coalesce(?, seed),
    inputs = coalesce(?, inputs)
WHERE id = ?

-- name: release
UPDATE tasks SET pending = pending - 1, status = CASE pending WHEN 1 THEN 'ready' ELSE status END
WHERE id IN (SELECT down FROM edges WHERE up = ?) AND status = 'pending'

-- name: release_parent
-- (The subquery costs less than a RETURNING in `settle` would.)
UPDATE tasks SET pending = pending - 1, status = CASE pending WHEN 1 THEN 'ready' ELSE status END
WHERE id = (SELECT parent FROM tasks WHERE id = ?) AND status = 'open'

-- name: again
UPDATE tasks SET status = 'ready', not_before = ?, tries = ?, lost = ?
WHERE id = ? AND status = 'running'

-- name: park
UPDATE tasks SET status = 'waiting', reason = ?, awaits = ? WHERE id = ? AND status = 'ready'

-- name: computing
SELECT run || '/' || path FROM tasks WHERE key = ? AND status = 'running' LIMIT 1

-- name: wake
UPDATE tasks SET status = 'ready', awaits = NULL WHERE awaits = ? AND status = 'waiting'

-- name: wake_stale
-- Whoever computed the key may have settled just while this task began to wait for it.
UPDATE tasks SET status = 'ready', awaits = NULL
WHERE run = ? AND status = 'waiting' AND awaits IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM tasks c WHERE c.key = tasks.awaits AND c.status = 'running')

-- name: open
UPDATE tasks SET status = CASE :pending WHEN 0 THEN 'ready' ELSE 'open' END,
    total = :total, expanded = :expanded, pending = :pending
WHERE id = :task AND status IN ('ready', 'open')

-- name: open_maps
-- "Few" is fewer than the last parameter + 1 children that may start now (tasks_now_child).
SELECT {columns} FROM tasks t
WHERE t.run = ? AND t.status = 'open' AND t.expanded < t.total
  AND NOT EXISTS (SELECT 1 FROM tasks c WHERE c.parent = t.id AND c.status = 'ready'
                    AND c.not_before IS NULL LIMIT 1 OFFSET ?)
ORDER BY t.id

-- name: unsettled
SELECT EXISTS (SELECT 1 FROM tasks WHERE run = ? AND status IN {unsettled})

-- name: any_status
SELECT EXISTS (SELECT 1 FROM tasks WHERE run = ? AND status = ?)

-- name: settle_all
UPDATE tasks SET status = ?, ended = ?, reason = ?, pending = 0, not_before = NULL, awaits = NULL
WHERE run = ? AND status IN {unsettled}
  AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.task = tasks.id AND a.status = 'running')

-- name: reopen_artifacts
DELETE FROM artifacts WHERE task IN
    (SELECT id FROM tasks WHERE run = ? AND status IN ('failed', 'blocked', 'cancelled'))

-- name: reopen
UPDATE tasks SET status = CASE WHEN expanded > 0 THEN 'open' ELSE 'pending' END,
    total = CASE WHEN expanded > 0 THEN total ELSE NULL END,
    tries = 0, lost = 0, not_before = NULL, awaits = NULL, reason = NULL, source = NULL,
    error = NULL, started = NULL, ended = NULL
WHERE run = ? AND status IN ('failed', 'blocked', 'cancelled')

-- name: recount
-- An expanded task counts its children, those not yet there included; any other its dependencies.
UPDATE tasks SET pending = CASE WHEN status = 'open' OR expanded > 0
    THEN (SELECT count(*) FROM tasks c WHERE c.parent = tasks.id AND c.status IN {unsettled})
        + CASE WHEN coalesce(total, 0) > expanded THEN total - expanded ELSE 0 END
    ELSE (SELECT count(*) FROM edges e JOIN tasks u ON u.id = e.up
          WHERE e.down = tasks.id AND u.status IN {unsettled})
    END
WHERE run = ? AND status IN ('pending', 'ready', 'open')

-- name: restate
UPDATE tasks SET status = CASE WHEN pending = 0 THEN 'ready'
    WHEN status = 'open' OR expanded > 0 THEN 'open' ELSE 'pending' END
WHERE run = ? AND status IN ('pending', 'ready', 'open')

-- name: add_expected
INSERT INTO expected (pipeline, node, wall) SELECT pipeline, node, ? FROM tasks WHERE id = ?
ON CONFLICT (pipeline, node) DO UPDATE SET wall = excluded.wall

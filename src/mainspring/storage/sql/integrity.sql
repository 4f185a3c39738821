-- What docs/protocol.md says holds at every instant, asked as "which rows break it?".
-- Each statement gives one text per fault.

-- fragment: unsettled
('pending', 'ready', 'running', 'open', 'waiting')

-- fragment: children
(SELECT count(*) FROM tasks c WHERE c.parent = t.id AND c.status IN {unsettled})

-- fragment: dependencies
(SELECT count(*) FROM edges e JOIN tasks u ON u.id = e.up
 WHERE e.down = t.id AND u.status IN {unsettled})

-- name: one_success
-- 1. Maps, repeats and checkpoints succeed without an attempt of their own.
SELECT run || '/' || path || ': succeeded with '
    || (SELECT count(*) FROM attempts a WHERE a.task = t.id AND a.status = 'succeeded')
    || ' successful attempts'
FROM tasks t
WHERE status = 'succeeded' AND attempts > 0
  AND (SELECT count(*) FROM attempts a WHERE a.task = t.id AND a.status = 'succeeded') <> 1

-- name: outputs_without_attempt
-- 1.
SELECT run || '/' || path || ': has outputs, but no attempt made them'
FROM tasks t
WHERE status = 'succeeded' AND attempts = 0 AND kind IN ('step', 'command') AND total IS NULL
  AND EXISTS (SELECT 1 FROM artifacts a WHERE a.task = t.id AND a.format <> 'list')

-- name: reused_from
-- 1.
SELECT run || '/' || path || ': reused, but of no recorded source'
FROM tasks WHERE status = 'reused' AND source IS NULL AND kind <> 'map'

-- name: one_running
-- 2. And a task is running if and only if its attempt is.
SELECT run || '/' || path || ': ' || status || ' with '
    || (SELECT count(*) FROM attempts a WHERE a.task = t.id AND a.status = 'running')
    || ' running attempts'
FROM tasks t
WHERE (SELECT count(*) FROM attempts a WHERE a.task = t.id AND a.status = 'running')
    <> CASE status WHEN 'running' THEN 1 ELSE 0 END

-- name: pending
-- 4. The count of a task that waits is above 0 and true.
SELECT run || '/' || path || ': pending is ' || pending || ', but it waits for ' || {dependencies}
FROM tasks t
WHERE status = 'pending' AND (pending = 0 OR pending <> {dependencies})

-- name: open
-- 4. Elements of a map that are not yet expanded are children too.
SELECT run || '/' || path || ': pending is ' || pending || ', but its children at work are '
    || ({children} + CASE WHEN coalesce(total, 0) > expanded THEN total - expanded ELSE 0 END)
FROM tasks t
WHERE status = 'open' AND (pending = 0 OR pending <> {children}
    + CASE WHEN coalesce(total, 0) > expanded THEN total - expanded ELSE 0 END)

-- name: ready
-- 4.
SELECT run || '/' || path || ': ready, but it waits for ' || ({dependencies} + {children})
FROM tasks t
WHERE status = 'ready' AND (pending <> 0 OR {dependencies} + {children} > 0)

-- name: ended
-- 5.
SELECT id || ': ' || status || ', but a task is not settled or an attempt is running'
FROM runs r
WHERE status IN ('succeeded', 'failed', 'cancelled')
  AND (EXISTS (SELECT 1 FROM tasks t WHERE t.run = r.id AND t.status IN {unsettled})
    OR EXISTS (SELECT 1 FROM tasks t JOIN attempts a ON a.task = t.id AND a.status = 'running'
               WHERE t.run = r.id))

-- name: dataset_numbers
-- A number that was given is not given again.
SELECT v.dataset || '@v' || v.number || ': the last number that was given is ' || d.last
FROM dataset_versions v JOIN datasets d ON d.name = v.dataset
WHERE v.number < 1 OR v.number > d.last

-- name: model_numbers
-- Likewise.
SELECT v.model || '@v' || v.number || ': the last number that was given is ' || m.last
FROM model_versions v JOIN models m ON m.name = v.model
WHERE v.number < 1 OR v.number > m.last

-- name: not_ended
-- 5. A queued run may have been settled entirely by its plan; its first turn ends it.
SELECT id || ': ' || status || ', but all of its tasks are settled'
FROM runs r
WHERE status IN ('running', 'waiting', 'paused')
  AND EXISTS (SELECT 1 FROM tasks t WHERE t.run = r.id)
  AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.run = r.id AND t.status IN {unsettled})

-- name: facts
SELECT 'run ' || run || ': the fact ' || name || ' is not one number or one text'
FROM facts WHERE (number IS NULL) = (text IS NULL)

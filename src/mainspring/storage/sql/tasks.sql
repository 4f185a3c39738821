-- Tasks, their edges and their artifacts.

-- fragment: columns
t.id, t.run, t.path, t.node, t.kind, t.status, t.pending, t.parent, t.idx, t.total, t.expanded,
t.key, t.static, t.seed, t.tries, t.lost, t.attempts, t.not_before, t.reason, t.source, t.error,
t.started, t.ended

-- fragment: artifact
a.name, a.digest, a.size, a.format, a.type, a.data_only, a.count

-- name: new_ids
-- As many as asked for, in rising order: nobody else adds tasks before this transaction ends.
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
SELECT (SELECT coalesce(max(id), 0) FROM tasks) + n FROM numbers

-- name: add
INSERT INTO tasks (id, run, pipeline, created, path, node, kind, status, pending, parent, idx, key,
    static, seed, inputs, source, reason, ended)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_edge
INSERT INTO edges (up, down) VALUES (?, ?)

-- name: add_artifact
INSERT INTO artifacts (task, place, name, digest, size, format, type, data_only, count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: get
SELECT {columns} FROM tasks t WHERE t.id = ?

-- name: inputs
SELECT inputs FROM tasks WHERE id = ?

-- name: find
SELECT {columns} FROM tasks t WHERE t.run = ? AND t.path = ?

-- name: top_paths
SELECT path FROM tasks WHERE run = ? AND idx IS NULL ORDER BY id

-- name: of_run
SELECT {columns} FROM tasks t WHERE t.run = ? AND t.id > ? ORDER BY t.id LIMIT ?

-- name: of_parent
SELECT {columns} FROM tasks t WHERE t.run = ? AND t.parent = ? AND t.id > ? ORDER BY t.id LIMIT ?

-- name: of_status
-- tasks_status gives them in order of id, so LIMIT ends the search early.
SELECT {columns} FROM tasks t WHERE t.run = ? AND t.status = ? AND t.id > ? ORDER BY t.id LIMIT ?

-- name: top
-- Along tasks_top.
SELECT {columns} FROM tasks t WHERE t.run = ? AND t.idx IS NULL ORDER BY t.id

-- name: elements
-- Along tasks_parent.
SELECT {columns} FROM tasks t WHERE t.parent = ? AND t.idx >= ? ORDER BY t.idx LIMIT ?

-- name: upstream
SELECT u.path, u.status, {artifact}
FROM edges e JOIN tasks u ON u.id = e.up LEFT JOIN artifacts a ON a.task = u.id
WHERE e.down = ? ORDER BY u.id, a.place

-- name: by_path
SELECT t.id, t.status, {artifact}
FROM tasks t LEFT JOIN artifacts a ON a.task = t.id
WHERE t.run = ? AND t.path = ? ORDER BY a.place

-- name: child_outputs
SELECT t.id, t.status, {artifact}, t.idx
FROM tasks t LEFT JOIN artifacts a ON a.task = t.id
WHERE t.parent = ? AND t.idx >= ? AND t.idx < ? ORDER BY t.idx, t.id, a.place

-- name: outputs
SELECT {artifact} FROM artifacts a WHERE a.task = ? ORDER BY a.place

-- name: artifacts
SELECT t.path, {artifact} FROM tasks t JOIN artifacts a ON a.task = t.id
WHERE t.run = ? ORDER BY t.id, a.place

-- name: top_artifacts
SELECT t.path, {artifact} FROM tasks t JOIN artifacts a ON a.task = t.id
WHERE t.run = ? AND t.idx IS NULL ORDER BY t.id, a.place

-- name: edges
SELECT e.up, e.down FROM tasks t JOIN edges e ON e.up = t.id WHERE t.run = ? ORDER BY e.up, e.down

-- name: counts
SELECT parent, status, count(*) FROM tasks WHERE run = ? GROUP BY parent, status

-- name: digests
SELECT DISTINCT digest FROM artifacts
UNION SELECT json_extract(i.value, '$[0]') FROM tasks t, json_each(t.inputs) i

-- name: makers
-- Along artifacts_digest, in the order of the tasks' making.
SELECT {columns} FROM tasks t WHERE t.id IN (
    SELECT a.task FROM artifacts a
    WHERE substr(a.digest, 8, 12) >= :low AND substr(a.digest, 8, 12) <= :high
        AND substr(a.digest, 8, length(:hex)) = :hex
) ORDER BY t.id LIMIT :limit

-- What runs are found by (records/facts.py), and notes. (newest is the one of metrics.sql.)

-- name: add
INSERT INTO facts (run, name, number, text) SELECT number, ?, ?, ? FROM runs WHERE id = ?

-- name: set
-- Of several tasks that log a metric, the last counts.
INSERT INTO facts (run, name, number, text, task) SELECT number, ?, ?, ?, ? FROM runs WHERE id = ?
ON CONFLICT (run, name) DO UPDATE SET
    number = excluded.number, text = excluded.text, task = excluded.task
WHERE excluded.task >= facts.task OR excluded.task IS NULL

-- name: remove
DELETE FROM facts WHERE name = ? AND run = (SELECT number FROM runs WHERE id = ?)

-- name: add_reused
-- A reused task has the metrics of the one that it was reused from. (Elements of maps are left out.)
INSERT INTO facts (run, name, number, text, task)
SELECT run, 'metrics.' || name, last, CASE WHEN last IS NULL THEN 'nan' END, task
FROM (
    SELECT r.number AS run, s.name, s.last, t.id AS task,
        row_number() OVER (PARTITION BY s.name ORDER BY t.id DESC) AS place
    FROM runs r
        JOIN tasks t ON t.run = r.id AND t.idx IS NULL AND t.status = 'reused'
        JOIN tasks o ON o.run = substr(t.source, 1, instr(t.source, '/') - 1)
            AND o.path = substr(t.source, instr(t.source, '/') + 1)
        JOIN series s ON s.run = o.run AND s.task = o.id AND {newest}
    WHERE r.id = ?
) reused WHERE place = 1
ON CONFLICT (run, name) DO UPDATE SET
    number = excluded.number, text = excluded.text, task = excluded.task
WHERE excluded.task >= facts.task

-- name: of_runs
SELECT r.id, f.name, f.number, f.text FROM runs r JOIN facts f ON f.run = r.number
WHERE r.id IN (SELECT value FROM json_each(?))

-- name: set_note
INSERT INTO notes (run, text) SELECT number, ? FROM runs WHERE id = ?
ON CONFLICT (run) DO UPDATE SET text = excluded.text

-- name: remove_note
DELETE FROM notes WHERE run = (SELECT number FROM runs WHERE id = ?)

-- name: notes
SELECT r.id, n.text FROM runs r JOIN notes n ON n.run = r.number
WHERE r.id IN (SELECT value FROM json_each(?))

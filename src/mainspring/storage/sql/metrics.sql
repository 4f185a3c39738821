-- Scalar points by series (one metric of one attempt), and figures and tables.

-- fragment: newest
-- A retry logs again what the attempt before it logged: only the newest series is shown.
s.id = (SELECT max(n.id) FROM series n WHERE n.run = s.run AND n.task = s.task AND n.name = s.name)

-- name: series
SELECT id, count, last, step, minimum, maximum FROM series WHERE attempt = ? AND name = ?

-- name: add_series
INSERT INTO series (run, task, attempt, name, count) VALUES (?, ?, ?, ?, 0) RETURNING id

-- name: add_point
INSERT INTO points (series, place, step, value, at) VALUES (?, ?, ?, ?, ?)

-- name: summarise
UPDATE series SET count = ?, last = ?, step = ?, minimum = ?, maximum = ? WHERE id = ?

-- name: summaries
SELECT t.path, s.name, s.last, s.count, s.minimum, s.maximum, s.step
FROM series s JOIN tasks t ON t.id = s.task
WHERE s.run = :run AND (:task IS NULL OR s.task = :task) AND {newest}
ORDER BY s.task, s.id LIMIT :limit

-- name: points
SELECT p.value, p.step, p.at
FROM tasks t JOIN series s ON s.run = t.run AND s.task = t.id AND s.name = :name
    JOIN points p ON p.series = s.id
WHERE t.run = :run AND t.path = :path AND {newest}
ORDER BY p.place

-- name: add_medium
INSERT INTO media (run, task, attempt, name, kind, digest, size, mime, step)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: media
SELECT t.path, m.attempt, m.name, m.kind, m.digest, m.size, m.mime, m.step
FROM media m JOIN tasks t ON t.id = m.task
WHERE m.run = :run AND (:task IS NULL OR m.task = :task)
ORDER BY m.id LIMIT :limit

-- name: digests
SELECT DISTINCT digest FROM media

-- name: delete_points
DELETE FROM points WHERE series IN (SELECT id FROM series WHERE run = ?)

-- name: delete_series
DELETE FROM series WHERE run = ?

-- name: delete_media
DELETE FROM media WHERE run = ?

-- PostgreSQL's own versions of statements in ../metrics.sql.

-- name: summaries
SELECT t.path, s.name, s.last, s.count, s.minimum, s.maximum, s.step
FROM series s JOIN tasks t ON t.id = s.task
WHERE s.run = :run AND (:task::bigint IS NULL OR s.task = :task) AND {newest}
ORDER BY s.task, s.id LIMIT :limit

-- name: media
SELECT t.path, m.attempt, m.name, m.kind, m.digest, m.size, m.mime, m.step
FROM media m JOIN tasks t ON t.id = m.task
WHERE m.run = :run AND (:task::bigint IS NULL OR m.task = :task)
ORDER BY m.id LIMIT :limit

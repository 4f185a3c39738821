-- PostgreSQL's own versions of statements in ../facts.sql.

-- name: add_reused
INSERT INTO facts (run, name, number, text, task)
SELECT run, 'metrics.' || name, last, CASE WHEN last IS NULL THEN 'nan' END, task
FROM (
    SELECT r.number AS run, s.name, s.last, t.id AS task,
        row_number() OVER (PARTITION BY s.name ORDER BY t.id DESC) AS place
    FROM runs r
        JOIN tasks t ON t.run = r.id AND t.idx IS NULL AND t.status = 'reused'
        JOIN tasks o ON o.run = split_part(t.source, '/', 1)
            AND o.path = substr(t.source, strpos(t.source, '/') + 1)
        JOIN series s ON s.run = o.run AND s.task = o.id AND {newest}
    WHERE r.id = ?
) reused WHERE place = 1
ON CONFLICT (run, name) DO UPDATE SET
    number = excluded.number, text = excluded.text, task = excluded.task
WHERE excluded.task >= facts.task

-- name: of_runs
SELECT r.id, f.name, f.number, f.text FROM runs r JOIN facts f ON f.run = r.number
WHERE r.id IN (SELECT json_array_elements_text(?::json))

-- name: notes
SELECT r.id, n.text FROM runs r JOIN notes n ON n.run = r.number
WHERE r.id IN (SELECT json_array_elements_text(?::json))

-- What `gc` reads, by ranges of the tables' own numbers: nothing is read twice or at once.

-- name: extent
SELECT 1 + coalesce(max(n), 0) FROM (
    SELECT max(number) AS n FROM runs UNION ALL SELECT max(id) FROM tasks
    UNION ALL SELECT max(id) FROM results UNION ALL SELECT max(id) FROM media
    UNION ALL SELECT max(id) FROM dataset_versions
    UNION ALL SELECT max(id) FROM model_versions
) AS numbers

-- name: outputs
SELECT t.run, a.digest, a.format, a.size FROM tasks t JOIN artifacts a ON a.task = t.id
WHERE t.id >= ? AND t.id < ?

-- name: inputs
SELECT DISTINCT t.run, json_extract(i.value, '$[0]') FROM tasks t, json_each(t.inputs) i
WHERE t.id >= ? AND t.id < ?

-- name: media
SELECT run, digest FROM media WHERE id >= ? AND id < ?

-- name: results
SELECT run, outputs FROM results WHERE id >= ? AND id < ?

-- name: datasets
SELECT manifest, format, manifest_size, profile FROM dataset_versions WHERE id >= ? AND id < ?

-- name: models
SELECT manifest, format, manifest_size FROM model_versions WHERE id >= ? AND id < ?

-- name: attempts
SELECT t.run, a.id, a.ended IS NOT NULL FROM tasks t JOIN attempts a ON a.task = t.id
WHERE t.id >= ? AND t.id < ?

-- name: sources
SELECT DISTINCT run, source FROM tasks WHERE id >= ? AND id < ? AND source IS NOT NULL

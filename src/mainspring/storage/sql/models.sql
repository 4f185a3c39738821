-- Imported models, their versions, and the moves of their aliases.

-- fragment: columns
model, number, digest, manifest, manifest_size, format, type, data_only, created, files, size,
licence, origin, digests, signature

-- name: names
SELECT name FROM models WHERE EXISTS (SELECT 1 FROM model_versions WHERE model = name)
ORDER BY name

-- name: versions
SELECT {columns} FROM model_versions WHERE model = ? ORDER BY number

-- name: newest
SELECT {columns} FROM model_versions WHERE model = ? ORDER BY number DESC LIMIT 1

-- name: newest_of_all
SELECT {columns} FROM model_versions v
WHERE number = (SELECT max(number) FROM model_versions o WHERE o.model = v.model)
ORDER BY model

-- name: exists
SELECT 1 FROM model_versions WHERE model = ? AND number = ?

-- name: hold
-- The row is locked until the transaction ends, where more than one can go on at once.
INSERT INTO models (name, last) VALUES (?, 0)
ON CONFLICT (name) DO UPDATE SET last = models.last

-- name: count_up
UPDATE models SET last = last + 1 WHERE name = ? RETURNING last

-- name: add
INSERT INTO model_versions ({columns})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: moves
SELECT alias, number, at FROM model_aliases WHERE model = ? ORDER BY id

-- name: move
INSERT INTO model_aliases (model, alias, number, at) VALUES (?, ?, ?, ?)

-- name: manifests
SELECT manifest FROM model_versions

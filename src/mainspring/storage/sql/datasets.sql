-- Datasets and their versions.

-- fragment: columns
dataset, number, digest, manifest, manifest_size, format, type, created, files, size, rows,
labelled, profile, origin, message, pinned

-- name: names
SELECT name FROM datasets WHERE EXISTS (SELECT 1 FROM dataset_versions WHERE dataset = name)
ORDER BY name

-- name: versions
SELECT {columns} FROM dataset_versions WHERE dataset = ? ORDER BY number

-- name: newest
SELECT {columns} FROM dataset_versions WHERE dataset = ? ORDER BY number DESC LIMIT 1

-- name: newest_of_all
SELECT {columns} FROM dataset_versions v
WHERE number = (SELECT max(number) FROM dataset_versions o WHERE o.dataset = v.dataset)
ORDER BY dataset

-- name: hold
-- The row is locked until the transaction ends, where more than one can go on at once.
INSERT INTO datasets (name, last) VALUES (?, 0)
ON CONFLICT (name) DO UPDATE SET last = datasets.last

-- name: count_up
UPDATE datasets SET last = last + 1 WHERE name = ? RETURNING last

-- name: add
INSERT INTO dataset_versions ({columns})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: change
UPDATE dataset_versions SET manifest = ?, manifest_size = ?, format = ?, type = ?, rows = ?,
    labelled = ?, profile = ?, message = ?, pinned = ?
WHERE dataset = ? AND number = ?

-- name: delete
DELETE FROM dataset_versions WHERE dataset = ? AND number = ?

-- name: manifests
SELECT manifest FROM dataset_versions UNION
SELECT profile FROM dataset_versions WHERE profile IS NOT NULL

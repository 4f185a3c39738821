-- The pieces of a search for runs (storage/search.py puts them together). `r` is the run.
-- ({columns} is the one of runs.sql.)

-- name: fact
f.run = r.number AND f.name = ?

-- name: task_metric
t.run = r.id AND t.path = ? AND s.run = t.run AND s.task = t.id AND s.name = ? AND s.id =
    (SELECT max(n.id) FROM series n WHERE n.run = s.run AND n.task = s.task AND n.name = s.name)

-- name: having
SELECT f.run FROM facts f WHERE {range}

-- name: few
-- How many runs have such a fact, counted no further than is of interest.
SELECT count(*) FROM (SELECT 1 FROM facts f WHERE {range} LIMIT ?) counted

-- name: newest_number
SELECT max(number) FROM runs

-- name: newest
SELECT {columns} FROM runs r WHERE {where} ORDER BY r.created DESC, r.number DESC LIMIT ?

-- name: by_column
SELECT {columns} FROM runs r WHERE {where}
ORDER BY CASE WHEN {column} IS NULL THEN 1 ELSE 0 END, {column} {way}, r.number {way} LIMIT ?

-- name: sorted
-- For few runs: all are looked at.
SELECT {columns} FROM runs r LEFT JOIN facts o ON o.run = r.number AND o.name = ?
WHERE {where}
ORDER BY CASE WHEN o.run IS NULL THEN 2 WHEN o.number IS NULL THEN 1 ELSE 0 END,
    o.number {way}, o.text {way}, r.number {way} LIMIT ?

-- name: numbers
-- For many: along facts_value, until there are enough. CROSS JOIN keeps SQLite in this order.
SELECT {columns} FROM facts o CROSS JOIN runs r
WHERE o.name = ? AND o.number IS NOT NULL AND r.number = o.run AND {where}
ORDER BY o.number {way}, o.text {way}, o.run {way} LIMIT ?

-- name: texts
SELECT {columns} FROM facts o CROSS JOIN runs r
WHERE o.name = ? AND o.number IS NULL AND r.number = o.run AND {where}
ORDER BY o.text {way}, o.run {way} LIMIT ?

-- name: without
SELECT {columns} FROM runs r
WHERE NOT EXISTS (SELECT 1 FROM facts o WHERE o.run = r.number AND o.name = ?) AND {where}
ORDER BY r.number {way} LIMIT ?

-- For finding runs by what is known of them. `name` is `metrics.NAME`, `params.NAME`, `tags.NAME` or
-- `data.NAME`; a fact is a number or a text ("not a number" is the text nan). `task` is the one that
-- logged a metric: of several, the last counts. Only tags are recorded nowhere else.
CREATE TABLE facts (
    run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    name TEXT NOT NULL,
    number REAL,
    text TEXT,
    task INTEGER,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
-- A filter's runs, and runs in the order of a fact. (Each entry ends with the run.)
CREATE INDEX facts_value ON facts (name, number, text);

CREATE TABLE notes (
    run INTEGER PRIMARY KEY REFERENCES runs (number) ON DELETE CASCADE,
    text TEXT NOT NULL
);

-- Where else an artifact was made or used. The beginning of a digest is enough to find it.
CREATE INDEX artifacts_digest ON artifacts (substr(digest, 8, 12));

-- The facts of the runs that are there.
INSERT INTO facts (run, name, number, text, task)
WITH newest (run, task, name, last, place) AS (
    SELECT r.number, s.task, s.name, s.last,
        row_number() OVER (PARTITION BY s.run, s.name ORDER BY s.task DESC, s.id DESC)
    FROM series s JOIN runs r ON r.id = s.run
)
SELECT run, 'metrics.' || name, last, CASE WHEN last IS NULL THEN 'nan' END, task
FROM newest WHERE place = 1;

INSERT INTO facts (run, name, number, text)
WITH RECURSIVE leaves (run, name, value, type) AS (
    SELECT r.number, e.key, e.value, e.type FROM runs r, json_each(r.parameters) e
    UNION ALL
    SELECT l.run, l.name || '.' || e.key, e.value, e.type FROM leaves l, json_each(l.value) e
    WHERE l.type = 'object' AND json_type(l.value, '$."$float"') IS NULL
), plain (run, name, value, type) AS (
    SELECT run, name, value, type FROM leaves WHERE type <> 'object'
    UNION ALL
    SELECT run, name, json_extract(value, '$."$float"'), 'float' FROM leaves
    WHERE type = 'object' AND json_type(value, '$."$float"') IS NOT NULL
)
SELECT run, 'params.' || name,
    CASE type WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0
        WHEN 'float' THEN CASE value WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999 END
        WHEN 'text' THEN NULL WHEN 'array' THEN NULL ELSE value END,
    CASE WHEN type = 'float' AND value = 'nan' THEN 'nan'
        WHEN type NOT IN ('text', 'array') THEN NULL
        WHEN length(value) > 256 THEN substr(value, 1, 255) || '…' ELSE value END
FROM plain WHERE type <> 'null' AND length(name) <= 200
ON CONFLICT (run, name) DO NOTHING;

INSERT INTO facts (run, name, number, text, task)
WITH reused (run, task, name, last, place) AS (
    SELECT r.number, t.id, s.name, s.last,
        row_number() OVER (PARTITION BY t.run, s.name ORDER BY t.id DESC, s.id DESC)
    FROM tasks t JOIN runs r ON r.id = t.run
        JOIN tasks o ON o.run = substr(t.source, 1, instr(t.source, '/') - 1)
            AND o.path = substr(t.source, instr(t.source, '/') + 1)
        JOIN series s ON s.run = o.run AND s.task = o.id
    WHERE t.status = 'reused' AND t.idx IS NULL
)
SELECT run, 'metrics.' || name, last, CASE WHEN last IS NULL THEN 'nan' END, task
FROM reused WHERE place = 1
ON CONFLICT (run, name) DO UPDATE SET
    number = excluded.number, text = excluded.text, task = excluded.task
WHERE excluded.task >= facts.task;

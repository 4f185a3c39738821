-- For finding runs by what is known of them; equal to format 3 of the embedded store.
CREATE TABLE facts (
    run BIGINT NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    number DOUBLE PRECISION,
    text TEXT COLLATE "C",
    task BIGINT,
    PRIMARY KEY (run, name)
);
-- A filter's runs, and runs in the order of a fact.
CREATE INDEX facts_value ON facts (name, number, text, run);

CREATE TABLE notes (
    run BIGINT PRIMARY KEY REFERENCES runs (number) ON DELETE CASCADE,
    text TEXT COLLATE "C" NOT NULL
);

-- Where else an artifact was made or used. The beginning of a digest is enough to find it.
CREATE INDEX artifacts_digest ON artifacts (substr(digest, 8, 12));

-- The facts of the runs that are there.
INSERT INTO facts (run, name, number, text, task)
SELECT run, 'metrics.' || name, last, CASE WHEN last IS NULL THEN 'nan' END, task
FROM (
    SELECT r.number AS run, s.task, s.name, s.last,
        row_number() OVER (PARTITION BY s.run, s.name ORDER BY s.task DESC, s.id DESC) AS place
    FROM series s JOIN runs r ON r.id = s.run
) newest WHERE place = 1;

-- The text that a JSON value is; NULL where PostgreSQL can't hold it (it has a NUL).
CREATE FUNCTION pg_temp.plain_text(value json) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN value #>> '{}';
EXCEPTION WHEN untranslatable_character OR invalid_text_representation THEN
    RETURN NULL;
END
$$;
-- Its number; without end where it is larger than any.
CREATE FUNCTION pg_temp.plain_number(value json) RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
    RETURN (value #>> '{}')::double precision;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN CASE WHEN value::text LIKE '-%' THEN '-infinity' ELSE 'infinity' END;
END
$$;

INSERT INTO facts (run, name, number, text)
WITH RECURSIVE leaves (run, name, value) AS (
    SELECT r.number, e.key, e.value FROM runs r, json_each(r.parameters::json) e
    WHERE strpos(r.parameters, '\u0000') = 0
    UNION ALL
    SELECT l.run, l.name || '.' || e.key, e.value FROM leaves l, json_each(l.value) e
    WHERE json_typeof(l.value) = 'object' AND l.value -> '$float' IS NULL
), plain (run, name, value, type) AS (
    SELECT run, name, value, json_typeof(value) FROM leaves
    WHERE json_typeof(value) NOT IN ('object', 'null')
    UNION ALL
    SELECT run, name, value -> '$float', 'float' FROM leaves
    WHERE json_typeof(value) = 'object' AND value -> '$float' IS NOT NULL
), found (run, name, number, text) AS (
    SELECT run, 'params.' || name,
        CASE type WHEN 'boolean' THEN CASE value::text WHEN 'true' THEN 1.0 ELSE 0.0 END
            WHEN 'float' THEN CASE value #>> '{}' WHEN 'inf' THEN 'infinity'::double precision
                WHEN '-inf' THEN '-infinity'::double precision END
            WHEN 'number' THEN pg_temp.plain_number(value) END,
        CASE type WHEN 'float' THEN CASE value #>> '{}' WHEN 'nan' THEN 'nan' END
            WHEN 'string' THEN pg_temp.plain_text(value) WHEN 'array' THEN value::text END
    FROM plain WHERE length(name) <= 200
)
SELECT run, name, number,
    CASE WHEN length(text) > 256 THEN substr(text, 1, 255) || '…' ELSE text END
FROM found WHERE number IS NOT NULL OR text IS NOT NULL
ON CONFLICT (run, name) DO NOTHING;

INSERT INTO facts (run, name, number, text, task)
SELECT run, 'metrics.' || name, last, CASE WHEN last IS NULL THEN 'nan' END, task
FROM (
    SELECT r.number AS run, t.id AS task, s.name, s.last,
        row_number() OVER (PARTITION BY t.run, s.name ORDER BY t.id DESC, s.id DESC) AS place
    FROM tasks t JOIN runs r ON r.id = t.run
        JOIN tasks o ON o.run = split_part(t.source, '/', 1)
            AND o.path = substr(t.source, strpos(t.source, '/') + 1)
        JOIN series s ON s.run = o.run AND s.task = o.id
    WHERE t.status = 'reused' AND t.idx IS NULL
) reused WHERE place = 1
ON CONFLICT (run, name) DO UPDATE SET
    number = excluded.number, text = excluded.text, task = excluded.task
WHERE excluded.task >= facts.task;

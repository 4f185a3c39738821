-- What verifying runs came to.

-- name: add
INSERT INTO verifications (run, at, verdict, whole, body) VALUES (?, ?, ?, ?, ?) RETURNING id

-- name: of_run
SELECT id, body FROM verifications WHERE run = ? ORDER BY id DESC LIMIT ?

-- name: latest
-- The last verdict on the whole of each of these runs.
SELECT v.run, v.verdict FROM verifications v
WHERE v.id IN (SELECT max(id) FROM verifications
               WHERE whole = 1 AND run IN (SELECT value FROM json_each(?)) GROUP BY run)

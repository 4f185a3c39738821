-- PostgreSQL's own versions of statements in ../verifications.sql.

-- name: latest
SELECT v.run, v.verdict FROM verifications v
WHERE v.id IN (SELECT max(id) FROM verifications
               WHERE whole = 1 AND run IN (SELECT json_array_elements_text(?::json)) GROUP BY run)

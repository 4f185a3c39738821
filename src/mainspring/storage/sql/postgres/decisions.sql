-- PostgreSQL's own versions of statements in ../decisions.sql.

-- name: last
-- See last_of_chain in the first migration: one transaction at a time extends a chain.
SELECT last_of_chain(?)

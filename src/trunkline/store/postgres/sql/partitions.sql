-- name: lock()$
-- Be the only one who makes tables, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('trunkline partitions')) IS NULL;

-- name: is_there(name)$
-- Is there a part of calls of that name?
SELECT EXISTS (SELECT 1 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = 'calls'::regclass AND c.relname = :name::text);

-- name: months()
-- The tables of months, oldest first.
SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'calls'::regclass AND c.relname ~ '^calls_[0-9]{4}_[0-9]{2}$'
ORDER BY c.relname;

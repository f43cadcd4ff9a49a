-- name: lock_accounts(account_ids)
-- Lock accounts in the order of their ids; the newest numbers of each, and its own.
SELECT id, last_seq, last_update, number FROM accounts WHERE id = ANY(:account_ids::text[])
ORDER BY id FOR NO KEY UPDATE;

-- name: add_events(account_ids, seqs, categories, names, subjects, call_ids, ats, bodies)!
-- Store numbered events.
INSERT INTO events (account_id, seq, category, name, subject, call_id, at, body)
SELECT * FROM unnest(:account_ids::text[], :seqs::bigint[], :categories::text[], :names::text[],
                     :subjects::text[], :call_ids::text[], :ats::bigint[], :bodies::bytea[]);

-- name: tell(account_ids, last_seqs, told, channel)
-- Note the newest numbers, and tell whoever listens once they are committed.
WITH noted AS (
    UPDATE accounts a SET last_seq = n.last_seq
    FROM unnest(:account_ids::text[], :last_seqs::bigint[]) AS n (id, last_seq)
    WHERE a.id = n.id)
SELECT pg_notify(:channel::text, t.told) FROM unnest(:told::text[]) AS t (told);

-- name: newest()
-- Every account's newest number.
SELECT id, last_seq FROM accounts;

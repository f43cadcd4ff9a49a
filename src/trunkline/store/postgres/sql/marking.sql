-- name: add_terms(account_numbers, terms, started_ats)!
-- Calls that started then are found by these.
INSERT INTO call_terms (account_number, term, started_at)
SELECT * FROM unnest(:account_numbers::integer[], :terms::text[], :started_ats::bigint[])
ON CONFLICT DO NOTHING;

-- name: drop_terms(account_number, started_ats, terms)!
-- No calls that started then are found by these any more.
DELETE FROM call_terms t
USING unnest(:started_ats::bigint[], :terms::text[]) AS u (started_at, term)
WHERE t.account_number = :account_number AND t.term = u.term AND t.started_at = u.started_at;

-- name: number_calls(account_numbers, seqs, started_ats, call_ids)!
-- Calls have their first numbers: they are in the order of changes.
WITH advanced AS (
    UPDATE accounts a SET last_update = m.seq
    FROM (SELECT number, max(seq) AS seq
          FROM unnest(:account_numbers::integer[], :seqs::bigint[]) AS u (number, seq)
          GROUP BY number) m
    WHERE a.number = m.number)
INSERT INTO call_updates (account_number, seq, started_at, call_id)
SELECT * FROM unnest(
    :account_numbers::integer[], :seqs::bigint[], :started_ats::bigint[], :call_ids::text[]);

-- name: set_numbers(account_ids, seqs, started_ats, call_ids)!
-- Calls of before this schema have their numbers; nothing else of them has changed.
UPDATE calls c SET update_seq = u.seq
FROM unnest(:account_ids::text[], :seqs::bigint[], :started_ats::bigint[], :call_ids::text[])
    AS u (account_id, seq, started_at, call_id)
WHERE c.account_id = u.account_id AND c.started_at = u.started_at AND c.id = u.call_id;

-- name: lock_recordings(call_ids)
-- The recordings of calls, for nobody else to change; before their account is locked.
SELECT name FROM recordings WHERE call_id = ANY(:call_ids::text[]) ORDER BY name FOR UPDATE;

-- name: drop_calls(account_id, account_number, started_ats, call_ids, seqs)!
-- Delete calls of a locked account: their records and ids, counts, facts, place in the order of changes.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(:started_ats::bigint[], :call_ids::text[]) AS g (started_at, id)
), ids AS (
    DELETE FROM call_ids i USING given g WHERE i.id = g.id
), facts AS (
    DELETE FROM journal j USING given g WHERE j.call_id = g.id
), sip AS (
    DELETE FROM sip_messages s USING given g
    WHERE s.account_id = :account_id AND s.call_id = g.id
), updates AS (
    DELETE FROM call_updates
    WHERE account_number = :account_number AND seq = ANY(:seqs::bigint[])
), removed AS (
    INSERT INTO recording_removals (name, account_id, call_id, raws, not_before)
    SELECT r.name, r.account_id, r.call_id, {raws of r}, coalesce(r.claimed_until, 0)
    FROM given g JOIN recordings r ON r.call_id = g.id ON CONFLICT DO NOTHING
), recorded AS (
    DELETE FROM recordings r USING given g WHERE r.call_id = g.id
), less_minute AS MATERIALIZED (
    SELECT started_at / 60000000 - (started_at % 60000000 < 0)::integer AS bucket, count(*) AS n
    FROM given GROUP BY 1
), fewer_minute AS (
    UPDATE call_counts_minute c SET n = c.n - l.n FROM less_minute l
    WHERE c.account_id = :account_id AND c.bucket = l.bucket AND c.n <> l.n
), none_minute AS (
    DELETE FROM call_counts_minute c USING less_minute l
    WHERE c.account_id = :account_id AND c.bucket = l.bucket AND c.n = l.n
), less_hour AS MATERIALIZED (
    SELECT started_at / 3600000000 - (started_at % 3600000000 < 0)::integer AS bucket, count(*) AS n
    FROM given GROUP BY 1
), fewer_hour AS (
    UPDATE call_counts_hour c SET n = c.n - l.n FROM less_hour l
    WHERE c.account_id = :account_id AND c.bucket = l.bucket AND c.n <> l.n
), none_hour AS (
    DELETE FROM call_counts_hour c USING less_hour l
    WHERE c.account_id = :account_id AND c.bucket = l.bucket AND c.n = l.n
), less_day AS MATERIALIZED (
    SELECT started_at / 86400000000 - (started_at % 86400000000 < 0)::integer AS bucket, count(*) AS n
    FROM given GROUP BY 1
), fewer_day AS (
    UPDATE call_counts_day c SET n = c.n - l.n FROM less_day l
    WHERE c.account_id = :account_id AND c.bucket = l.bucket AND c.n <> l.n
), none_day AS (
    DELETE FROM call_counts_day c USING less_day l
    WHERE c.account_id = :account_id AND c.bucket = l.bucket AND c.n = l.n
)
DELETE FROM calls c USING given g
WHERE c.account_id = :account_id AND c.started_at = g.started_at AND c.id = g.id;

-- name: lock_owners(call_ids)
-- Lock the accounts of these calls, as whoever holds one does; of those without a record, by their facts.
SELECT id FROM accounts WHERE id IN (
    SELECT account_id FROM call_ids WHERE id = ANY(:call_ids::text[])
    UNION ALL
    SELECT {account of j} FROM journal j
    WHERE j.call_id = ANY(:call_ids::text[])
        AND NOT EXISTS (SELECT 1 FROM call_ids c WHERE c.id = j.call_id)
) ORDER BY id FOR NO KEY UPDATE;

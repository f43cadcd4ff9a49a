-- name: write(account_ids, fact_call_ids, fact_ats, fact_kinds, facts, opened_ids, opened_accounts, opened_ats, opened_nodes, closed_ids, nodes, file_ids, offsets, accounts_told, categories, names, subjects, call_ids, ats, bodies, channel)
-- All but the records of batches, in one round trip: lock the accounts in the order of their ids; append facts, in
-- order; note which calls are live, and how far logs are taken in; number the events, in order, store them
-- (``bodies`` lack their number and the bracket after it), and tell whoever listens once they are committed.
-- Gives the newest numbers of each account, as they were before, and its own.
WITH locked AS MATERIALIZED (
    SELECT id, last_seq, last_update, number FROM accounts WHERE id = ANY(:account_ids::text[])
    ORDER BY id FOR NO KEY UPDATE
), journalled AS (
    INSERT INTO journal (call_id, at, kind, fact)
    SELECT f.call_id, f.at, f.kind, f.fact
    FROM unnest(:fact_call_ids::text[], :fact_ats::bigint[], :fact_kinds::text[], :facts::bytea[])
        WITH ORDINALITY AS f (call_id, at, kind, fact, n)
    ORDER BY f.n
), opened AS (
    INSERT INTO live_calls (call_id, account_id, opened_at, node_id)
    SELECT o.call_id, o.account_id, o.at, o.node_id
    FROM unnest(:opened_ids::text[], :opened_accounts::text[], :opened_ats::bigint[], :opened_nodes::text[])
        AS o (call_id, account_id, at, node_id)
    ORDER BY o.call_id
    ON CONFLICT DO NOTHING
), closed AS (
    DELETE FROM live_calls WHERE call_id = ANY(:closed_ids::text[])
), reached AS (
    INSERT INTO log_positions (node_id, file_id, "offset")
    SELECT p.node_id, p.file_id, p.reached
    FROM unnest(:nodes::text[], :file_ids::bigint[], :offsets::bigint[])
        AS p (node_id, file_id, reached)
    ORDER BY p.node_id
    ON CONFLICT (node_id) DO UPDATE SET file_id = excluded.file_id, "offset" = excluded."offset"
), numbered AS MATERIALIZED (
    SELECT l.id AS account_id,
           l.last_seq + row_number() OVER (PARTITION BY l.id ORDER BY e.n) AS seq,
           e.category, e.name, e.subject, e.call_id, e.at, e.body
    FROM unnest(:accounts_told::text[], :categories::text[], :names::text[], :subjects::text[],
                :call_ids::text[], :ats::bigint[], :bodies::bytea[])
        WITH ORDINALITY AS e (account_id, category, name, subject, call_id, at, body, n)
    JOIN locked l ON l.id = e.account_id
), stored AS (
    INSERT INTO events (account_id, seq, category, name, subject, call_id, at, body)
    SELECT account_id, seq, category, name, subject, call_id, at,
           body || convert_to(seq::text || '}', 'UTF8')
    FROM numbered
), spans AS MATERIALIZED (
    SELECT account_id, min(seq) AS first, max(seq) AS last FROM numbered GROUP BY account_id
), noted AS (
    UPDATE accounts a SET last_seq = s.last FROM spans s WHERE a.id = s.account_id
)
SELECT l.id, l.last_seq, l.last_update, l.number, t.told
FROM locked l LEFT JOIN (
    SELECT s.account_id, pg_notify(:channel::text, concat_ws(':', s.account_id, s.first, s.last))::text AS told
    FROM spans s) t ON t.account_id = l.id;

-- name: add_facts(call_ids, ats, kinds, facts)!
-- Append facts to the journal, in order.
INSERT INTO journal (call_id, at, kind, fact)
SELECT f.call_id, f.at, f.kind, f.fact
FROM unnest(:call_ids::text[], :ats::bigint[], :kinds::text[], :facts::bytea[])
    WITH ORDINALITY AS f (call_id, at, kind, fact, n)
ORDER BY f.n;

-- name: open_calls_now(call_ids, account_ids, ats)!
-- Note that calls are live.
INSERT INTO live_calls (call_id, account_id, opened_at)
SELECT o.call_id, o.account_id, o.at
FROM unnest(:call_ids::text[], :account_ids::text[], :ats::bigint[]) AS o (call_id, account_id, at)
ORDER BY o.call_id
ON CONFLICT DO NOTHING;

-- name: close_calls(call_ids)!
-- Note that calls are live no more.
DELETE FROM live_calls WHERE call_id = ANY(:call_ids::text[]);

-- name: open_calls()
-- Every live call with its facts, in order.
SELECT l.call_id, l.account_id, j.fact
FROM live_calls l
LEFT JOIN journal j ON j.call_id = l.call_id
ORDER BY l.opened_at, l.call_id, j.id;

-- name: facts(call_id)
-- One call's facts, in order.
SELECT fact FROM journal WHERE call_id = :call_id ORDER BY id;

-- name: known(call_id)$
-- Has the event log spoken of this call? What was only asked for is not known yet.
SELECT EXISTS (SELECT 1 FROM call_ids WHERE id = :call_id)
    OR EXISTS (SELECT 1 FROM journal WHERE call_id = :call_id
               AND kind NOT IN ('CallRequested', 'RequestWithdrawn'));

-- name: position(log)^
-- How far a log has been taken in.
SELECT file_id, "offset" FROM log_positions WHERE log = :log;

-- name: set_positions(logs, file_ids, offsets)!
-- Note how far logs have been taken in.
INSERT INTO log_positions (log, file_id, "offset")
SELECT p.log, p.file_id, p.reached
FROM unnest(:logs::text[], :file_ids::bigint[], :offsets::bigint[]) AS p (log, file_id, reached)
ORDER BY p.log
ON CONFLICT (log) DO UPDATE SET file_id = excluded.file_id, "offset" = excluded."offset";

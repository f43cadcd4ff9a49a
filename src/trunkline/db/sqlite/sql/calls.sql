-- name: add_facts(call_id, at, kind, fact)*!
-- Append facts to the journal, in order.
INSERT INTO journal (call_id, at, kind, fact) VALUES (:call_id, :at, :kind, :fact);

-- name: open_call(call_id, account_id, at)!
-- Note that a call is live.
INSERT INTO live_calls (call_id, account_id, opened_at) VALUES (:call_id, :account_id, :at)
ON CONFLICT DO NOTHING;

-- name: close_call(call_id)!
-- Note that a call is live no more.
DELETE FROM live_calls WHERE call_id = :call_id;

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
SELECT EXISTS (SELECT 1 FROM calls WHERE id = :call_id)
    OR EXISTS (SELECT 1 FROM journal WHERE call_id = :call_id
               AND kind NOT IN ('CallRequested', 'RequestWithdrawn'));

-- name: position(log)^
-- How far a log has been taken in.
SELECT file_id, "offset" FROM log_positions WHERE log = :log;

-- name: set_position(log, file_id, offset)!
-- Note how far a log has been taken in.
INSERT INTO log_positions (log, file_id, "offset") VALUES (:log, :file_id, :offset)
ON CONFLICT (log) DO UPDATE SET file_id = excluded.file_id, "offset" = excluded."offset";

-- name: accounts()
-- Every account: id, name, time zone, and the newest number of its event log.
SELECT id, name, timezone, last_seq FROM accounts ORDER BY name COLLATE "C";

-- name: live()
-- Every live call, of whichever node, with its facts, in order.
SELECT l.call_id, l.account_id, j.fact
FROM live_calls l
LEFT JOIN journal j ON j.call_id = l.call_id
ORDER BY l.opened_at, l.call_id, j.id;

-- name: finished(call_id)^
-- The whole record of a finished call.
SELECT c.* FROM {calls c} WHERE c.id = :call_id;

-- name: recording(wanted)^
-- The recording of that name, or of the call with that id.
SELECT name, account_id, call_id, state, bytes, seconds, reason, created_at
FROM recordings
WHERE name = coalesce(
    (SELECT c.recording FROM {calls c} WHERE c.id = :wanted), :wanted);

-- name: stopped_webhooks()
-- Webhooks that were stopped by what they answered, or did not.
SELECT w.id, a.name, w.state, w.reason FROM webhooks w JOIN accounts a ON a.id = w.account_id
WHERE w.state <> 'enabled' AND w.reason <> ''
ORDER BY a.name COLLATE "C", w.created_at, w.id COLLATE "C";

-- name: trunk_names()
-- Every trunk: its endpoint, as calls have it, and its name.
SELECT 'trunk-' || id, name FROM trunks;

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
SELECT c.* FROM call_ids i
JOIN calls c ON c.account_id = i.account_id AND c.started_at = i.started_at AND c.id = i.id
WHERE i.id = :call_id;

-- name: recordings(account_id, limit)
-- An account's recordings, those of the newest calls first.
SELECT r.name, r.account_id, r.call_id, r.state, r.bytes, r.seconds, r.reason, r.created_at
FROM (SELECT recording, started_at, id FROM calls
      WHERE account_id = :account_id AND recording <> ''
      ORDER BY started_at DESC, id DESC OFFSET 0) c
JOIN recordings r ON r.name = c.recording
ORDER BY c.started_at DESC, c.id DESC LIMIT :limit;

-- name: recording(wanted)^
-- The recording of that name, or of the call with that id.
SELECT name, account_id, call_id, state, bytes, seconds, reason, created_at
FROM recordings
WHERE name = coalesce(
    (SELECT c.recording FROM call_ids i
     JOIN calls c ON c.account_id = i.account_id AND c.started_at = i.started_at AND c.id = i.id
     WHERE i.id = :wanted), :wanted);

-- name: stopped_webhooks()
-- Webhooks that were stopped by what they answered, or did not.
SELECT w.id, a.name, w.state, w.reason FROM webhooks w JOIN accounts a ON a.id = w.account_id
WHERE w.state <> 'enabled' AND w.reason <> ''
ORDER BY a.name COLLATE "C", w.created_at, w.id COLLATE "C";

-- name: trunk_names()
-- Every trunk: its endpoint, as calls have it, and its name.
SELECT 'trunk-' || id, name FROM trunks;

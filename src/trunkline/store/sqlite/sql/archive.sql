-- name: recordings(account_id, limit)
-- An account's recordings, those of the newest calls first.
SELECT r.name, r.account_id, r.call_id, r.state, r.bytes, r.seconds, r.reason, r.created_at
FROM calls c CROSS JOIN recordings r ON r.name = c.recording
WHERE c.account_id = :account_id AND c.recording <> ''
ORDER BY c.started_at DESC, c.id DESC LIMIT :limit;

-- name: recordings(account_id, limit)
-- An account's recordings, those of the newest calls first.
SELECT r.name, r.account_id, r.call_id, r.state, r.bytes, r.seconds, r.reason, r.created_at
FROM (SELECT recording, started_at, id FROM calls
      WHERE account_id = :account_id AND recording <> ''
      ORDER BY started_at DESC, id DESC OFFSET 0) c
JOIN recordings r ON r.name = c.recording
ORDER BY c.started_at DESC, c.id DESC LIMIT :limit;

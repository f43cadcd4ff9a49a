-- name: take_numbers(n, account_id)$
-- Take the next ``n`` numbers of the account's log; the last one of them, null without the account.
UPDATE accounts SET last_seq = last_seq + :n WHERE id = :account_id RETURNING last_seq;

-- name: add_event(account_id, seq, category, name, subject, call_id, at, body)!
-- Store a numbered event.
INSERT INTO events (account_id, seq, category, name, subject, call_id, at, body)
VALUES (:account_id, :seq, :category, :name, :subject, :call_id, :at, :body);

-- name: after(account_id, seq, limit)
-- The events that follow a number, in order.
SELECT account_id, seq, category, name, subject, call_id, at, body FROM events
WHERE account_id = :account_id AND seq > :seq ORDER BY seq LIMIT :limit;

-- name: bounds(account_id)^
-- The oldest number kept (the one to come, when none is) and the newest number given.
SELECT coalesce((SELECT min(seq) FROM events WHERE account_id = a.id), a.last_seq + 1), a.last_seq
FROM accounts a WHERE a.id = :account_id;

-- name: set_device_state(online, at, device_id)!
-- Store a device's state where it is a change; a device that was never heard of is offline.
INSERT INTO device_states (device_id, online, changed_at)
SELECT d.id, :online, :at FROM devices d
WHERE d.id = :device_id
  AND :online <> coalesce((SELECT s.online FROM device_states s WHERE s.device_id = d.id), 0)
ON CONFLICT (device_id) DO UPDATE SET online = excluded.online, changed_at = excluded.changed_at;

-- name: device_states()
-- Every device whose state was ever heard of.
SELECT device_id, online FROM device_states;

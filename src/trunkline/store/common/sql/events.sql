-- name: after(account_id, seq, limit)
-- The events that follow a number, in order; none from before the log's beginning.
SELECT account_id, seq, category, name, subject, call_id, at, body FROM events
WHERE account_id = :account_id
    AND seq > greatest(:seq, (SELECT events_from - 1 FROM accounts WHERE id = :account_id))
ORDER BY seq LIMIT :limit;

-- name: of_call_after(account_id, call_id, seq, limit)
-- The events of one call that follow a number, in order; of a call on hold, all.
SELECT account_id, seq, category, name, subject, call_id, at, body FROM events
WHERE account_id = :account_id AND call_id = :call_id AND seq > :seq ORDER BY seq LIMIT :limit;

-- name: bounds(account_id)^
-- Where the log begins (with the number to come, when none is kept), and the newest number given.
SELECT events_from, last_seq FROM accounts WHERE id = :account_id;

-- name: set_device_state(online, at, device_id)!
-- Store a device's state where it is a change; a device that was never heard of is offline.
INSERT INTO device_states (device_id, online, changed_at)
SELECT d.id, :online::boolean, :at::bigint FROM devices d
WHERE d.id = :device_id
  AND :online::boolean <> coalesce(
      (SELECT s.online FROM device_states s WHERE s.device_id = d.id), false)
ON CONFLICT (device_id) DO UPDATE SET online = excluded.online, changed_at = excluded.changed_at
WHERE device_states.online <> excluded.online;

-- name: set_device_secure(secure, at, sip_user)!
-- Store where it is a change whether a device registered over TLS; one that was never heard of did not.
INSERT INTO device_states (device_id, online, secure, changed_at)
SELECT d.id, false, :secure::boolean, :at::bigint FROM devices d
WHERE d.sip_user = :sip_user
  AND :secure::boolean <> coalesce(
      (SELECT s.secure FROM device_states s WHERE s.device_id = d.id), false)
ON CONFLICT (device_id) DO UPDATE SET secure = excluded.secure;

-- name: device_since(device_id)^
-- A device's state, and since when it is so.
SELECT online, changed_at FROM device_states WHERE device_id = :device_id;

-- name: device_states()
-- Every device whose state was ever heard of.
SELECT d.sip_user, s.online FROM device_states s JOIN devices d ON d.id = s.device_id;

-- name: set_trunk_state(up, at, trunk_id)!
-- Store a trunk's state where it is a change; a first state always is.
INSERT INTO trunk_states (trunk_id, up, changed_at)
SELECT t.id, :up::boolean, :at::bigint FROM trunks t
WHERE t.id = :trunk_id
ON CONFLICT (trunk_id) DO UPDATE SET up = excluded.up, changed_at = excluded.changed_at
WHERE trunk_states.up <> excluded.up;

-- name: trunk_states()
-- Every trunk whose state was ever heard of.
SELECT trunk_id, up FROM trunk_states;

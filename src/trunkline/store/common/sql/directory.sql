-- name: app(app_id)^
-- The enabled app of an enabled account, its secret still encrypted.
SELECT p.id, p.account_id, p.name, p.secret, p.legacy_hashes, p.allowed_addresses, p.read_only,
       a.timezone
FROM apps p
JOIN accounts a ON a.id = p.account_id
WHERE p.id = :app_id AND p.enabled AND a.enabled;

-- name: device(sip_user, account_id)^
-- The account's enabled device of an enabled user, with all that a call of its own needs: its rights are
-- those that the dialplan reads.
SELECT d.id, d.account_id, d.sip_user, d.realm, d.ha1, d.user_id, u.username, u.name,
       (SELECT e.number FROM extensions e WHERE e.destination_id = u.id
        ORDER BY e.created_at, e.id LIMIT 1),
       nullif(c.caller_id, ''), c.allow_regex, c.deny_regex, c.routes, e.numbers, e.trunks, c.record,
       d.srtp
FROM devices d
JOIN users u ON u.id = d.user_id
JOIN tl_callers c ON c.id = d.sip_user
JOIN tl_emergency e ON e.id = d.account_id
WHERE d.sip_user = :sip_user AND d.account_id = :account_id;

-- name: by_extension(route_key)^
-- What is behind account:extension, as the dialplan finds it, and the devices that ring for a user.
SELECT s.kind, s.step, coalesce(u.username, ''), coalesce(u.name, ''), e.number,
       CASE s.kind WHEN 'outside' THEN s.arg ELSE '' END,
       {devices of u}
FROM tl_dialled s
JOIN extensions e ON e.route_key = s.id
LEFT JOIN users u ON u.id = s.step
WHERE s.id = :route_key;

-- name: by_did(route_key)^
-- What is behind account:digits of an inbound number, as the dialplan finds it.
SELECT s.kind, s.step, coalesce(u.username, ''), coalesce(u.name, ''),
       (SELECT e.number FROM extensions e WHERE e.destination_id = u.id
        ORDER BY e.created_at, e.id LIMIT 1),
       CASE s.kind WHEN 'outside' THEN s.arg ELSE '' END,
       {devices of u}
FROM tl_inbound s
LEFT JOIN users u ON u.id = s.step
WHERE s.id = :route_key;

-- name: user_by_id(user_id)^
-- A user, enabled or not (a call may outlive that), and the devices that ring for them.
SELECT 'user', u.id, u.username, u.name,
       (SELECT e.number FROM extensions e WHERE e.destination_id = u.id
        ORDER BY e.created_at, e.id LIMIT 1),
       '',
       {devices of u}
FROM users u
WHERE u.id = :user_id;

-- name: device_owner(sip_user)^
-- Whose a device is, enabled or not.
SELECT d.account_id, d.id, d.user_id, u.username, u.name, d.srtp
FROM devices d
JOIN users u ON u.id = d.user_id
WHERE d.sip_user = :sip_user;

-- name: trunk_owner(trunk_id)^
-- Whose a trunk is, enabled or not.
SELECT account_id, name, id FROM trunks WHERE id = :trunk_id;

-- name: trunk_lines()
-- All enabled trunks of enabled accounts; a sandbox account has none but sandbox trunks.
SELECT 'trunk-' || t.id, t.account_id, t.name, t.host, t.port, t.transport, t.auth_user,
       t.auth_password, t.register, t.match, t.srtp
FROM trunks t
JOIN accounts a ON a.id = t.account_id
WHERE t.enabled AND a.enabled AND (t.sandbox OR NOT a.sandbox)
ORDER BY t.created_at, t.id;

-- name: limits(id)^
-- How many calls may be to the outside, as the dialplan reads it.
SELECT calls, rate, account_calls, account_rate FROM tl_limits WHERE id = :id;

-- name: timezone(account_id)$
-- The account's IANA time zone.
SELECT timezone FROM accounts WHERE id = :account_id;

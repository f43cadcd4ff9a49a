-- name: app(app_id)^
-- The enabled app of an enabled account, its secret still encrypted.
SELECT p.id, p.account_id, p.name, p.secret, p.legacy_hashes, p.allowed_addresses, p.read_only,
       a.timezone
FROM apps p
JOIN accounts a ON a.id = p.account_id
WHERE p.id = :app_id AND p.enabled AND a.enabled;

-- name: device(sip_user, account_id)^
-- The account's enabled device of an enabled user, with all that a call of its own needs.
SELECT d.id, d.account_id, d.sip_user, d.realm, d.ha1, d.user_id, u.username, u.name, u.extension,
       coalesce(u.caller_id, a.caller_id), a.dial_allow, a.dial_deny, a.record,
       (SELECT 'trunk-' || t.id FROM trunks t
        WHERE t.account_id = d.account_id AND t.enabled AND (t.sandbox OR NOT a.sandbox)
        ORDER BY t.priority, t.created_at, t.id LIMIT 1)
FROM devices d
JOIN users u ON u.id = d.user_id
JOIN accounts a ON a.id = d.account_id
WHERE d.sip_user = :sip_user AND d.account_id = :account_id
  AND d.enabled AND u.enabled AND a.enabled;

-- name: user_by_extension(route_key)^
-- The enabled user behind account:extension, and the devices that ring for them.
SELECT u.id, u.username, u.name, u.extension,
       (SELECT string_agg(d.sip_user, '&' ORDER BY d.created_at, d.id)
        FROM devices d WHERE d.user_id = u.id AND d.enabled)
FROM users u
JOIN accounts a ON a.id = u.account_id
WHERE u.route_key = :route_key AND u.enabled AND a.enabled;

-- name: user_by_did(route_key)^
-- The enabled user behind account:digits of an inbound number, and the devices that ring for them.
SELECT u.id, u.username, u.name, u.extension,
       (SELECT string_agg(d.sip_user, '&' ORDER BY d.created_at, d.id)
        FROM devices d WHERE d.user_id = u.id AND d.enabled)
FROM numbers n
JOIN users u ON u.id = n.user_id
JOIN accounts a ON a.id = n.account_id
WHERE n.route_key = :route_key AND n.enabled AND u.enabled AND a.enabled;

-- name: user_by_id(user_id)^
-- A user, enabled or not (a call may outlive that), and the devices that ring for them.
SELECT u.id, u.username, u.name, u.extension,
       (SELECT string_agg(d.sip_user, '&' ORDER BY d.created_at, d.id)
        FROM devices d WHERE d.user_id = u.id AND d.enabled)
FROM users u
WHERE u.id = :user_id;

-- name: device_owner(sip_user)^
-- Whose a device is, enabled or not.
SELECT d.account_id, d.id, d.user_id, u.username, u.name
FROM devices d
JOIN users u ON u.id = d.user_id
WHERE d.sip_user = :sip_user;

-- name: trunk_owner(trunk_id)^
-- Whose a trunk is, enabled or not.
SELECT account_id, name, id FROM trunks WHERE id = :trunk_id;

-- name: trunk_lines()
-- All enabled trunks of enabled accounts; a sandbox account has none but sandbox trunks.
SELECT 'trunk-' || t.id, t.account_id, t.name, t.host, t.port, t.transport, t.auth_user,
       t.auth_password, t.register, t.match
FROM trunks t
JOIN accounts a ON a.id = t.account_id
WHERE t.enabled AND a.enabled AND (t.sandbox OR NOT a.sandbox)
ORDER BY t.created_at, t.id;

-- name: timezone(account_id)$
-- The account's IANA time zone.
SELECT timezone FROM accounts WHERE id = :account_id;

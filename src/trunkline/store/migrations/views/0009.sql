-- What Asterisk reads. It asks for one row by "id" (res_config_sqlite3, res_config_pgsql), so every
-- "id" below is one indexed column of a table, and each look-up is an index search.
-- Numbers are text: SQLite finds no bare number equal to the text that Asterisk sends. In PostgreSQL the
-- views read with their owner's rights: who may read them needs no right to any table (store/postgres/roles.py).

-- PJSIP endpoints: the enabled devices of enabled users of enabled accounts.
CREATE VIEW ps_endpoints AS
SELECT d.sip_user AS id,
       d.sip_user AS aors,
       d.sip_user AS auth,
       'from-device' AS context,
       'all' AS disallow,
       'ulaw,alaw' AS allow,
       'no' AS direct_media,
       'yes' AS rtp_symmetric,
       'yes' AS force_rport,
       'yes' AS rewrite_contact,
       'username,auth_username' AS identify_by,
       '"' || replace(replace(replace(u.name, '\', '/'), '"', ''''), ';', ',') || '" <'
           || coalesce((SELECT e.number FROM extensions e WHERE e.destination_id = u.id
                        ORDER BY e.created_at, e.id LIMIT 1), d.sip_user) || '>' AS callerid,
       d.account_id AS accountcode,
       'auto' AS dtmf_mode,
       'no' AS send_pai,
       'no' AS trust_id_inbound,
       'no' AS allow_subscribe,
       'yes' AS allow_transfer,
       'no' AS send_diversion
FROM devices d
JOIN users u ON u.id = d.user_id
JOIN accounts a ON a.id = d.account_id
WHERE d.enabled AND u.enabled AND a.enabled;

-- PJSIP auths: no password is stored, only its HA1.
CREATE VIEW ps_auths AS
SELECT d.sip_user AS id,
       'digest' AS auth_type,
       d.sip_user AS username,
       d.realm AS realm,
       'MD5:' || d.ha1 AS password_digest
FROM devices d
JOIN users u ON u.id = d.user_id
JOIN accounts a ON a.id = d.account_id
WHERE d.enabled AND u.enabled AND a.enabled;

-- PJSIP aors: one contact for each device, asked every five seconds whether it is still there.
CREATE VIEW ps_aors AS
SELECT d.sip_user AS id,
       '1' AS max_contacts,
       'yes' AS remove_existing,
       '5' AS qualify_frequency,
       '3.0' AS qualify_timeout,
       '30' AS minimum_expiration,
       '120' AS default_expiration,
       '3600' AS maximum_expiration
FROM devices d
JOIN users u ON u.id = d.user_id
JOIN accounts a ON a.id = d.account_id
WHERE d.enabled AND u.enabled AND a.enabled;

-- What an account may dial (POSIX regexes), and by which trunks: PREFIX:TRUNK:STRIP:PREPEND with & between,
-- the longest prefix first. Without any route of its own, all goes by its first trunk. The dialling policy
-- stands here alone: the dialplan reads it, and so does the API before it answers.
CREATE VIEW tl_rights AS
SELECT a.id AS id,
       coalesce(a.caller_id, '') AS caller_id,
       CASE a.dial_allow WHEN '' THEN '.*'
           ELSE '^(' || replace(replace(a.dial_allow, '+', '[+]'), ',', '|') || ')' END
           AS allow_regex,
       CASE a.dial_deny WHEN '' THEN '^$'
           ELSE '^(' || replace(replace(a.dial_deny, '+', '[+]'), ',', '|') || ')' END
           AS deny_regex,
       CASE WHEN a.record THEN 'yes' ELSE '' END AS record,
       coalesce(
           CASE WHEN EXISTS (SELECT 1 FROM outbound_routes o WHERE o.account_id = a.id)
               THEN ({outbound_routes})
               ELSE (SELECT ':trunk-' || t.id || ':0:' FROM trunks t
                     WHERE t.account_id = a.id AND t.enabled AND (t.sandbox OR NOT a.sandbox)
                     ORDER BY t.priority, t.created_at, t.id LIMIT 1) END,
           '') AS routes
FROM accounts a
WHERE a.enabled;

-- For the dialplan: who a device is, and its rights. The name stands last: a bracket in it would swallow
-- what follows (func_realtime.c, REALTIME_HASH).
CREATE VIEW tl_callers AS
SELECT d.sip_user AS id,
       d.account_id AS account_id,
       d.user_id AS user_id,
       coalesce((SELECT e.number FROM extensions e WHERE e.destination_id = u.id
                 ORDER BY e.created_at, e.id LIMIT 1), d.sip_user) AS number,
       coalesce(u.caller_id, r.caller_id) AS caller_id,
       r.allow_regex AS allow_regex,
       r.deny_regex AS deny_regex,
       r.record AS record,
       r.routes AS routes,
       replace(replace(replace(u.name, '\', '/'), '"', ''''), ';', ',') AS name
FROM devices d
JOIN users u ON u.id = d.user_id
JOIN tl_rights r ON r.id = d.account_id
WHERE d.enabled AND u.enabled;

-- For the dialplan: what a step does. "arg" is what its kind says: whom to dial, a number, a cause, a file.
-- A kind has its table joined here, and its line in "arg".
CREATE VIEW tl_steps AS
SELECT s.id AS id,
       s.id AS step,
       s.kind AS kind,
       CASE s.kind
           WHEN 'user' THEN coalesce(({phones}), '')
           WHEN 'outside' THEN o.number
           WHEN 'hangup' THEN CAST(h.cause AS TEXT)
           WHEN 'announcement' THEN p.file
       END AS arg,
       coalesce(u.id, '') AS user_id,
       coalesce(u.caller_id, a.caller_id, '') AS caller_id,
       CASE WHEN a.record THEN 'yes' ELSE '' END AS record,
       coalesce((SELECT w.to_id FROM ways w WHERE w.from_id = s.id AND w."on" = 'busy'), '') AS busy,
       coalesce((SELECT w.to_id FROM ways w WHERE w.from_id = s.id AND w."on" = 'no_answer'), '')
           AS no_answer,
       coalesce((SELECT w.to_id FROM ways w WHERE w.from_id = s.id AND w."on" = 'offline'), '')
           AS offline,
       coalesce((SELECT w.to_id FROM ways w WHERE w.from_id = s.id AND w."on" = 'next'), '') AS next
FROM destinations s
JOIN accounts a ON a.id = s.account_id
LEFT JOIN users u ON u.id = s.id
LEFT JOIN outside_numbers o ON o.id = s.id
LEFT JOIN hangups h ON h.id = s.id
LEFT JOIN announcements n ON n.id = s.id
LEFT JOIN prompts p ON p.id = n.prompt_id
WHERE a.enabled AND coalesce(u.enabled, n.enabled, true);

-- For the dialplan: the first step behind account:extension.
CREATE VIEW tl_dialled AS
SELECT e.route_key AS id,
       s.step, s.kind, s.arg, s.user_id, s.caller_id, s.record, s.busy, s.no_answer, s.offline, s.next
FROM extensions e
JOIN tl_steps s ON s.id = e.destination_id;

-- For the dialplan: the first step behind account:digits of an inbound number.
CREATE VIEW tl_inbound AS
SELECT n.route_key AS id,
       n.did AS did,
       s.step, s.kind, s.arg, s.user_id, s.caller_id, s.record, s.busy, s.no_answer, s.offline, s.next
FROM numbers n
JOIN tl_steps s ON s.id = n.destination_id
WHERE n.enabled;

-- ---- For the dialplan of the version before, which may run on in an engine that was adopted -------

-- Who a device is, what it may dial (POSIX regexes), and by which trunk.
CREATE VIEW tl_devices AS
SELECT d.sip_user AS id,
       d.account_id AS account_id,
       d.user_id AS user_id,
       u.username AS username,
       coalesce(u.caller_id, a.caller_id, '') AS caller_id,
       CASE a.dial_allow WHEN '' THEN '.*'
           ELSE '^(' || replace(replace(a.dial_allow, '+', '[+]'), ',', '|') || ')' END
           AS allow_regex,
       CASE a.dial_deny WHEN '' THEN '^$'
           ELSE '^(' || replace(replace(a.dial_deny, '+', '[+]'), ',', '|') || ')' END
           AS deny_regex,
       CASE WHEN a.record THEN 'yes' ELSE '' END AS record,
       coalesce((SELECT 'trunk-' || t.id FROM trunks t
                 WHERE t.account_id = d.account_id AND t.enabled
                   AND (t.sandbox OR NOT a.sandbox)
                 ORDER BY t.priority, t.created_at, t.id LIMIT 1), '') AS trunk
FROM devices d
JOIN users u ON u.id = d.user_id
JOIN accounts a ON a.id = d.account_id
WHERE d.enabled AND u.enabled AND a.enabled;

-- The user behind account:extension, and all that rings for them.
CREATE VIEW tl_extensions AS
SELECT e.route_key AS id,
       u.id AS user_id,
       u.username AS username,
       coalesce(({phones}), '') AS dial,
       CASE WHEN a.record THEN 'yes' ELSE '' END AS record
FROM extensions e
JOIN users u ON u.id = e.destination_id
JOIN accounts a ON a.id = u.account_id
WHERE u.enabled AND a.enabled;

-- The user behind account:digits of an inbound number.
CREATE VIEW tl_dids AS
SELECT n.route_key AS id,
       n.did AS did,
       u.id AS user_id,
       u.username AS username,
       coalesce(({phones}), '') AS dial,
       CASE WHEN a.record THEN 'yes' ELSE '' END AS record
FROM numbers n
JOIN users u ON u.id = n.destination_id
JOIN accounts a ON a.id = u.account_id
WHERE n.enabled AND u.enabled AND a.enabled;

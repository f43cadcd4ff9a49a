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
       'ulaw,alaw,g722' AS allow,
       'no' AS direct_media,
       'yes' AS rtp_symmetric,
       'yes' AS force_rport,
       'yes' AS rewrite_contact,
       'username,auth_username' AS identify_by,
       '"' || replace(replace(replace(u.name, '\', '/'), '"', ''''), ';', ',') || '" <'
           || coalesce(u.extension, d.sip_user) || '>' AS callerid,
       d.account_id AS accountcode,
       'auto' AS dtmf_mode,
       'no' AS send_pai,
       'no' AS trust_id_inbound,
       'no' AS allow_subscribe,
       'yes' AS allow_transfer
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

-- For the dialplan: who a device is, what it may dial (POSIX regexes), and by which trunk.
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

-- For the dialplan: the user behind account:extension, and all that rings for them.
CREATE VIEW tl_extensions AS
SELECT u.route_key AS id,
       u.id AS user_id,
       u.username AS username,
       coalesce(({phones}), '') AS dial,
       CASE WHEN a.record THEN 'yes' ELSE '' END AS record
FROM users u
JOIN accounts a ON a.id = u.account_id
WHERE u.enabled AND a.enabled;

-- For the dialplan: the user behind account:digits of an inbound number.
CREATE VIEW tl_dids AS
SELECT n.route_key AS id,
       n.did AS did,
       u.id AS user_id,
       u.username AS username,
       coalesce(({phones}), '') AS dial,
       CASE WHEN a.record THEN 'yes' ELSE '' END AS record
FROM numbers n
JOIN users u ON u.id = n.user_id
JOIN accounts a ON a.id = n.account_id
WHERE n.enabled AND u.enabled AND a.enabled;

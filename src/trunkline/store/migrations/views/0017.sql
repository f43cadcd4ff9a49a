-- PJSIP endpoints of an engine of this version: ps_endpoints, which stays for one of the version before (that may
-- run on, and has no codecs but G.711), with more codecs and SRTP. SRTP's keys stand in SIP (SDES), so an endpoint
-- that has it is reached over TLS alone: nothing else is sent to it. With "optional" it has it while
-- its phone is registered over TLS. What a phone prefers is all that it is answered: with a choice,
-- Asterisk would begin in one codec and go on in another.
CREATE VIEW tl_phones AS
SELECT {columns},
       CASE d.srtp WHEN 'off' THEN p.context ELSE p.context || '-' || d.srtp END AS context,
       'ulaw,alaw,g722' AS allow,
       'remote_first' AS incoming_call_offer_pref,
       CASE WHEN d.srtp = 'required' OR d.srtp = 'optional' AND s.secure THEN 'sdes' ELSE 'no' END
           AS media_encryption,
       CASE WHEN d.srtp = 'optional' AND s.secure THEN 'yes' ELSE 'no' END AS media_encryption_optimistic,
       CASE WHEN d.srtp = 'required' OR d.srtp = 'optional' AND s.secure THEN 'tls' ELSE '' END
           AS transport
FROM ps_endpoints p
JOIN devices d ON d.sip_user = p.id
LEFT JOIN device_states s ON s.device_id = d.id;

-- The same for an engine that has Opus.
CREATE VIEW tl_phones_opus AS
SELECT {columns},
       p.context,
       p.allow || ',opus' AS allow,
       p.incoming_call_offer_pref,
       p.media_encryption,
       p.media_encryption_optimistic,
       p.transport
FROM tl_phones p;

-- PJSIP aors: one contact for each device, asked every five seconds whether it is still there. Where SRTP is
-- required, the time-out differs by a hair: each contact keeps it, so that one that came without TLS is told
-- apart and refused (engine/config/contacts.py).
CREATE VIEW ps_aors AS
SELECT d.sip_user AS id,
       '1' AS max_contacts,
       'yes' AS remove_existing,
       '5' AS qualify_frequency,
       CASE WHEN d.srtp = 'required' THEN '3.125' ELSE '3.0' END AS qualify_timeout,
       '30' AS minimum_expiration,
       '120' AS default_expiration,
       '3600' AS maximum_expiration
FROM devices d
JOIN users u ON u.id = d.user_id
JOIN accounts a ON a.id = d.account_id
WHERE d.enabled AND u.enabled AND a.enabled;

-- name: add(account_id, call_id, stored_at, messages, skipped, body)!
-- Keep some messages of a call.
INSERT INTO sip_messages (account_id, call_id, stored_at, messages, skipped, body)
VALUES (:account_id, :call_id, :stored_at, :messages, :skipped, :body);

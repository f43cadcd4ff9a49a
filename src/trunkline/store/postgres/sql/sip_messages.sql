-- name: add(all_account_id, all_call_id, all_stored_at, all_messages, all_skipped, all_body)!
-- Keep some messages of each of some calls.
INSERT INTO sip_messages (account_id, call_id, stored_at, messages, skipped, body)
SELECT * FROM unnest(:all_account_id::text[], :all_call_id::text[], :all_stored_at::bigint[],
    :all_messages::int[], :all_skipped::int[], :all_body::bytea[]);

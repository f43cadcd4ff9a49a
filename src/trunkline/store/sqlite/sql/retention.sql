-- name: drop_call(account_id, started_at, call_id)*!
-- Delete a call's record; its counts go with it.
DELETE FROM calls WHERE account_id = :account_id AND started_at = :started_at AND id = :call_id;

-- name: drop_updates(account_number, seq)*!
-- It is in the order of changes no more.
DELETE FROM call_updates WHERE account_number = :account_number AND seq = :seq;

-- name: uncount_minutes(account_id, bucket, n)*!
-- So many calls less in this minute.
UPDATE call_counts_minute SET n = n - :n WHERE account_id = :account_id AND bucket = :bucket;

-- name: uncount_hours(account_id, bucket, n)*!
-- So many calls less in this hour.
UPDATE call_counts_hour SET n = n - :n WHERE account_id = :account_id AND bucket = :bucket;

-- name: uncount_days(account_id, bucket, n)*!
-- So many calls less on this day.
UPDATE call_counts_day SET n = n - :n WHERE account_id = :account_id AND bucket = :bucket;

-- name: drop_minutes(account_id, bucket)*!
-- A minute that has no calls any more.
DELETE FROM call_counts_minute WHERE account_id = :account_id AND bucket = :bucket AND n = 0;

-- name: drop_hours(account_id, bucket)*!
-- The same of an hour.
DELETE FROM call_counts_hour WHERE account_id = :account_id AND bucket = :bucket AND n = 0;

-- name: drop_days(account_id, bucket)*!
-- The same of a day.
DELETE FROM call_counts_day WHERE account_id = :account_id AND bucket = :bucket AND n = 0;

-- name: drop_facts_of(call_id)*!
-- The facts of a call go with its record.
DELETE FROM journal WHERE call_id = :call_id;

-- name: remove_recordings_of(call_id)*!
-- A call's recordings are to be removed, with the raw files that no other one is still to be made of.
INSERT INTO recording_removals (name, account_id, call_id, raws, not_before)
SELECT name, account_id, call_id, {raws of r}, coalesce(claimed_until, 0)
FROM recordings r WHERE call_id = :call_id ON CONFLICT DO NOTHING;

-- name: drop_recordings_of(call_id)*!
-- Its row goes.
DELETE FROM recordings WHERE call_id = :call_id;

-- name: drop_sip_messages(account_id, call_id)*!
-- Those of a call go with its record.
DELETE FROM sip_messages WHERE account_id = :account_id AND call_id = :call_id;

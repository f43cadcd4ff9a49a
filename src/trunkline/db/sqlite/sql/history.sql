-- name: add_call(account_id, started_at, id, answered_at, ended_at, duration_seconds, billing_seconds, ringing_seconds, class_, direction, status_detail, hangup_cause, caller_number, caller_username, caller_name, caller_user_id, caller_device_id, callee_number, callee_username, callee_name, callee_user_id, callee_device_id, did_number, recording, client_ref, app_id, trunk, engine_died, updated_at, update_seq)!
-- Write a finished call; one that is there already stays as it is.
INSERT INTO calls (
    account_id, started_at, id, answered_at, ended_at, duration_seconds, billing_seconds,
    ringing_seconds, class, direction, status_detail, hangup_cause,
    caller_number, caller_username, caller_name, caller_user_id, caller_device_id,
    callee_number, callee_username, callee_name, callee_user_id, callee_device_id,
    did_number, recording, client_ref, app_id, trunk, engine_died, updated_at, update_seq)
VALUES (
    :account_id, :started_at, :id, :answered_at, :ended_at, :duration_seconds, :billing_seconds,
    :ringing_seconds, :class_, :direction, :status_detail, :hangup_cause,
    :caller_number, :caller_username, :caller_name, :caller_user_id, :caller_device_id,
    :callee_number, :callee_username, :callee_name, :callee_user_id, :callee_device_id,
    :did_number, :recording, :client_ref, :app_id, :trunk, :engine_died, :updated_at, :update_seq)
ON CONFLICT DO NOTHING;

-- name: count_minute(account_id, bucket)!
-- One call more in this minute.
INSERT INTO call_counts_minute (account_id, bucket, n) VALUES (:account_id, :bucket, 1)
ON CONFLICT (account_id, bucket) DO UPDATE SET n = n + 1;

-- name: count_hour(account_id, bucket)!
-- One call more in this hour.
INSERT INTO call_counts_hour (account_id, bucket, n) VALUES (:account_id, :bucket, 1)
ON CONFLICT (account_id, bucket) DO UPDATE SET n = n + 1;

-- name: count_day(account_id, bucket)!
-- One call more on this day (UTC).
INSERT INTO call_counts_day (account_id, bucket, n) VALUES (:account_id, :bucket, 1)
ON CONFLICT (account_id, bucket) DO UPDATE SET n = n + 1;

-- name: calls_between(account_id, low, high)$
-- How many calls started in [low, high): only for what is narrower than a minute.
SELECT count(*) FROM calls
WHERE account_id = :account_id AND started_at >= :low AND started_at < :high;

-- name: minutes(account_id, low, high)
-- The counts of the minutes [low, high), newest first.
SELECT bucket, n FROM call_counts_minute
WHERE account_id = :account_id AND bucket >= :low AND bucket < :high ORDER BY bucket DESC;

-- name: hours(account_id, low, high)
-- The counts of the hours [low, high), newest first.
SELECT bucket, n FROM call_counts_hour
WHERE account_id = :account_id AND bucket >= :low AND bucket < :high ORDER BY bucket DESC;

-- name: days(account_id, low, high)
-- The counts of the days [low, high), newest first.
SELECT bucket, n FROM call_counts_day
WHERE account_id = :account_id AND bucket >= :low AND bucket < :high ORDER BY bucket DESC;

-- name: rows(account_id, low, high, limit, skip)
-- The calls that started in [low, high), newest first, from the one after ``skip`` on.
SELECT caller_number, caller_username, callee_number, callee_username, class, did_number,
       direction, status_detail, duration_seconds, started_at, billing_seconds, recording,
       client_ref, id
FROM calls
WHERE account_id = :account_id AND started_at >= :low AND started_at < :high
ORDER BY started_at DESC, id DESC LIMIT :limit OFFSET :skip;

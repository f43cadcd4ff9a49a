-- name: next_account(after)$
-- The next account, by its id, that has calls or counts; null after the last one.
SELECT min(account_id) FROM (
    SELECT min(account_id) AS account_id FROM calls WHERE account_id > :after
    UNION ALL SELECT min(account_id) FROM call_counts_minute WHERE account_id > :after
    UNION ALL SELECT min(account_id) FROM call_counts_hour WHERE account_id > :after
    UNION ALL SELECT min(account_id) FROM call_counts_day WHERE account_id > :after);

-- name: next_day(account_id, day)$
-- The first day from ``day`` on in which the account has calls or counts; null if there is none.
SELECT min(day) FROM (
    SELECT min(started_at) / 86400000000 AS day FROM calls
        WHERE account_id = :account_id AND started_at >= :day * 86400000000
    UNION ALL SELECT min(bucket) / 1440 FROM call_counts_minute
        WHERE account_id = :account_id AND bucket >= :day * 1440
    UNION ALL SELECT min(bucket) / 24 FROM call_counts_hour
        WHERE account_id = :account_id AND bucket >= :day * 24
    UNION ALL SELECT min(bucket) FROM call_counts_day
        WHERE account_id = :account_id AND bucket >= :day);

-- name: calls_by_minute(account_id, day)
-- The minutes of a day that have calls, and how many.
SELECT started_at / 60000000, count(*) FROM calls
WHERE account_id = :account_id
    AND started_at >= :day * 86400000000 AND started_at < (:day + 1) * 86400000000
GROUP BY 1;

-- name: minutes_of(account_id, day)
-- The counts of a day's minutes.
SELECT bucket, n FROM call_counts_minute
WHERE account_id = :account_id AND bucket >= :day * 1440 AND bucket < (:day + 1) * 1440;

-- name: hours_of(account_id, day)
-- The counts of a day's hours.
SELECT bucket, n FROM call_counts_hour
WHERE account_id = :account_id AND bucket >= :day * 24 AND bucket < (:day + 1) * 24;

-- name: day_of(account_id, day)
-- The count of a day.
SELECT bucket, n FROM call_counts_day WHERE account_id = :account_id AND bucket = :day;

-- name: drop_minutes(account_id, day)!
-- Forget the counts of a day's minutes, before they are made anew.
DELETE FROM call_counts_minute
WHERE account_id = :account_id AND bucket >= :day * 1440 AND bucket < (:day + 1) * 1440;

-- name: drop_hours(account_id, day)!
-- The same for its hours.
DELETE FROM call_counts_hour
WHERE account_id = :account_id AND bucket >= :day * 24 AND bucket < (:day + 1) * 24;

-- name: drop_day(account_id, day)!
-- The same for the day.
DELETE FROM call_counts_day WHERE account_id = :account_id AND bucket = :day;

-- name: add_minute(account_id, bucket, n)!
-- The count of a minute as its rows say.
INSERT INTO call_counts_minute (account_id, bucket, n) VALUES (:account_id, :bucket, :n);

-- name: add_hour(account_id, bucket, n)!
-- The same of an hour.
INSERT INTO call_counts_hour (account_id, bucket, n) VALUES (:account_id, :bucket, :n);

-- name: add_day(account_id, bucket, n)!
-- The same of a day.
INSERT INTO call_counts_day (account_id, bucket, n) VALUES (:account_id, :bucket, :n);

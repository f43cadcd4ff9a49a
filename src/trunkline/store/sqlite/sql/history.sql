-- name: add_calls({names}, updated_at, update_seq)*!
-- Write finished calls.
INSERT INTO calls ({columns}, updated_at, update_seq)
VALUES ({values}, :updated_at, :update_seq);

-- name: count_minute(account_id, bucket, n)*!
-- So many calls more in this minute.
INSERT INTO call_counts_minute (account_id, bucket, n) VALUES (:account_id, :bucket, :n)
ON CONFLICT (account_id, bucket) DO UPDATE SET n = n + excluded.n;

-- name: count_hour(account_id, bucket, n)*!
-- So many calls more in this hour.
INSERT INTO call_counts_hour (account_id, bucket, n) VALUES (:account_id, :bucket, :n)
ON CONFLICT (account_id, bucket) DO UPDATE SET n = n + excluded.n;

-- name: count_day(account_id, bucket, n)*!
-- So many calls more on this day (UTC).
INSERT INTO call_counts_day (account_id, bucket, n) VALUES (:account_id, :bucket, :n)
ON CONFLICT (account_id, bucket) DO UPDATE SET n = n + excluded.n;

-- name: counts(account_id, low_0, high_0, low_1, high_1, low_2, high_2, low_3, high_3, low_4, high_4, low_5, high_5, low_6, high_6)^
-- How many calls there are in each part of a window: rows (less than a minute of them), minutes, hours, days,
-- hours, minutes, rows.
SELECT
    (SELECT count(*) FROM calls
     WHERE account_id = :account_id AND started_at >= :low_0 AND started_at < :high_0),
    coalesce((SELECT sum(n) FROM call_counts_minute
              WHERE account_id = :account_id AND bucket >= :low_1 AND bucket < :high_1), 0),
    coalesce((SELECT sum(n) FROM call_counts_hour
              WHERE account_id = :account_id AND bucket >= :low_2 AND bucket < :high_2), 0),
    coalesce((SELECT sum(n) FROM call_counts_day
              WHERE account_id = :account_id AND bucket >= :low_3 AND bucket < :high_3), 0),
    coalesce((SELECT sum(n) FROM call_counts_hour
              WHERE account_id = :account_id AND bucket >= :low_4 AND bucket < :high_4), 0),
    coalesce((SELECT sum(n) FROM call_counts_minute
              WHERE account_id = :account_id AND bucket >= :low_5 AND bucket < :high_5), 0),
    (SELECT count(*) FROM calls
     WHERE account_id = :account_id AND started_at >= :low_6 AND started_at < :high_6);

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
SELECT {history}
FROM calls
WHERE account_id = :account_id AND started_at >= :low AND started_at < :high
ORDER BY started_at DESC, id DESC LIMIT :limit OFFSET :skip;

-- name: take_ids(ids, account_ids, started_ats)
-- Take the ids of finished calls; those that were not there yet.
INSERT INTO call_ids (id, account_id, started_at)
SELECT * FROM unnest(:ids::text[], :account_ids::text[], :started_ats::bigint[]) AS t (id, a, s)
ORDER BY t.id
ON CONFLICT DO NOTHING RETURNING id;

-- name: add_calls({all_names}, all_recording_id, all_plan, all_files, all_update_seq, updated_at)!
-- Write finished calls whose ids are taken, count them, and expect their recordings.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest({all_values}, :all_recording_id::text[], :all_plan::text[], :all_files::text[],
        :all_update_seq::bigint[])
    AS g ({columns}, recording_id, plan, files, update_seq)
), minutes AS (
    INSERT INTO call_counts_minute (account_id, bucket, n)
    SELECT account_id, started_at / 60000000 - (started_at % 60000000 < 0)::integer, count(*)
    FROM given GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (account_id, bucket) DO UPDATE SET n = call_counts_minute.n + excluded.n
), hours AS (
    INSERT INTO call_counts_hour (account_id, bucket, n)
    SELECT account_id, started_at / 3600000000 - (started_at % 3600000000 < 0)::integer, count(*)
    FROM given GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (account_id, bucket) DO UPDATE SET n = call_counts_hour.n + excluded.n
), days AS (
    INSERT INTO call_counts_day (account_id, bucket, n)
    SELECT account_id, started_at / 86400000000 - (started_at % 86400000000 < 0)::integer, count(*)
    FROM given GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (account_id, bucket) DO UPDATE SET n = call_counts_day.n + excluded.n
), expected AS (
    INSERT INTO recordings (id, name, account_id, call_id, state, created_at, plan)
    SELECT recording_id, recording, account_id, id, 'pending', ended_at, plan
    FROM given WHERE recording <> ''
    ON CONFLICT DO NOTHING
), needed AS (
    INSERT INTO recording_files (raw, recording_id)
    SELECT raw, recording_id
    FROM given, unnest(string_to_array(files, ' ')) AS f (raw) WHERE recording <> ''
    ON CONFLICT DO NOTHING
)
INSERT INTO calls ({columns}, updated_at, update_seq)
SELECT {columns}, :updated_at::bigint, update_seq FROM given;

-- name: page(account_id, levels, lows, highs, low, high, skip, limit)
-- The number of calls in a window, and so many of them, newest first, from the one after ``skip`` on.
-- ``levels``, ``lows`` and ``highs`` are the window as spans: 3 days, 2 hours, 1 minutes, 0 rows.
WITH span AS MATERIALIZED (
    SELECT * FROM unnest(:levels::integer[], :lows::bigint[], :highs::bigint[])
        AS s (level, low, high)
), step AS MATERIALIZED (
    SELECT 3 AS level, c.bucket * 86400000000 AS low, (c.bucket + 1) * 86400000000 AS high, c.n
    FROM span s, LATERAL (
        SELECT bucket, n FROM call_counts_day
        WHERE account_id = :account_id
          AND bucket >= s.low / 86400000000 AND bucket < s.high / 86400000000) c
    WHERE s.level = 3
    UNION ALL
    SELECT 2, c.bucket * 3600000000, (c.bucket + 1) * 3600000000, c.n
    FROM span s, LATERAL (
        SELECT bucket, n FROM call_counts_hour
        WHERE account_id = :account_id
          AND bucket >= s.low / 3600000000 AND bucket < s.high / 3600000000) c
    WHERE s.level = 2
    UNION ALL
    SELECT 1, c.bucket * 60000000, (c.bucket + 1) * 60000000, c.n
    FROM span s, LATERAL (
        SELECT bucket, n FROM call_counts_minute
        WHERE account_id = :account_id
          AND bucket >= s.low / 60000000 AND bucket < s.high / 60000000) c
    WHERE s.level = 1
    UNION ALL
    SELECT 0, s.low, s.high, c.n
    FROM span s, LATERAL (
        SELECT count(*) AS n FROM calls
        WHERE account_id = :account_id AND started_at >= :low AND started_at < :high
          AND started_at >= s.low AND started_at < s.high) c
    WHERE s.level = 0
), summed AS (
    SELECT level, low, high, n, (sum(n) OVER (ORDER BY low DESC))::bigint - n AS before FROM step
), found AS MATERIALIZED (
    SELECT level, low, high, before FROM summed
    WHERE before <= :skip::bigint AND before + n > :skip::bigint
), in_hour AS MATERIALIZED (
    SELECT level, low, high, before FROM found WHERE level < 3
    UNION ALL
    SELECT 2, h.bucket * 3600000000, (h.bucket + 1) * 3600000000, h.before
    FROM found f, LATERAL (
        SELECT bucket, n, f.before + (sum(n) OVER (ORDER BY bucket DESC))::bigint - n AS before
        FROM call_counts_hour
        WHERE account_id = :account_id
          AND bucket >= f.low / 3600000000 AND bucket < f.high / 3600000000) h
    WHERE f.level = 3 AND h.before <= :skip::bigint AND h.before + h.n > :skip::bigint
), in_minute AS MATERIALIZED (
    SELECT high, before FROM in_hour WHERE level < 2
    UNION ALL
    SELECT (m.bucket + 1) * 60000000, m.before
    FROM in_hour h, LATERAL (
        SELECT bucket, n, h.before + (sum(n) OVER (ORDER BY bucket DESC))::bigint - n AS before
        FROM call_counts_minute
        WHERE account_id = :account_id
          AND bucket >= h.low / 60000000 AND bucket < h.high / 60000000) m
    WHERE h.level = 2 AND m.before <= :skip::bigint AND m.before + m.n > :skip::bigint
)
SELECT (SELECT coalesce(sum(n), 0)::bigint FROM step), r.*
FROM (SELECT 1) one LEFT JOIN LATERAL (
    SELECT c.*
    FROM in_minute m, LATERAL (
        SELECT {history}
        FROM calls
        WHERE account_id = :account_id AND started_at >= :low AND started_at < :high
          AND started_at < m.high
        ORDER BY started_at DESC, id DESC OFFSET :skip::bigint - m.before LIMIT :limit) c
) r ON true;

-- name: total(account_id, levels, lows, highs, low, high)$
-- The number of calls in a window; the spans are those of ``page``.
SELECT coalesce(sum(CASE s.level
    WHEN 3 THEN (SELECT sum(n) FROM call_counts_day
                 WHERE account_id = :account_id
                   AND bucket >= s.low / 86400000000 AND bucket < s.high / 86400000000)
    WHEN 2 THEN (SELECT sum(n) FROM call_counts_hour
                 WHERE account_id = :account_id
                   AND bucket >= s.low / 3600000000 AND bucket < s.high / 3600000000)
    WHEN 1 THEN (SELECT sum(n) FROM call_counts_minute
                 WHERE account_id = :account_id
                   AND bucket >= s.low / 60000000 AND bucket < s.high / 60000000)
    ELSE (SELECT count(*) FROM calls
          WHERE account_id = :account_id AND started_at >= :low AND started_at < :high
            AND started_at >= s.low AND started_at < s.high) END), 0)::bigint
FROM unnest(:levels::integer[], :lows::bigint[], :highs::bigint[]) AS s (level, low, high);

-- name: count_calls(account_ids, started_ats, ids)!
-- Add these calls to what is kept, but for those that wait to be counted with the older ones.
WITH given AS (
    SELECT c.*
    FROM unnest(:account_ids::text[], :started_ats::bigint[], :ids::text[])
        AS k (account_id, started_at, id)
    JOIN calls c ON c.account_id = k.account_id AND c.started_at = k.started_at AND c.id = k.id
    LEFT JOIN call_stats_marks m ON m.account_id = k.account_id
    WHERE m.counted_from IS NULL OR k.started_at >= m.counted_from
), seen AS (
    SELECT g.*, s.dimension, s.key, s.outgoing
    FROM given g CROSS JOIN LATERAL (VALUES
        ('all', g.class || '/' || g.direction || '/' || g.status_detail, g.direction = 'from_ab'),
        ('user', g.caller_username, true),
        ('user', CASE WHEN g.callee_username IS DISTINCT FROM g.caller_username
                 THEN g.callee_username END, false),
        ('did', g.did_number, g.direction = 'from_ab'),
        ('trunk', g.trunk, g.direction = 'from_ab')) AS s (dimension, key, outgoing)
    WHERE s.key IS NOT NULL
)
INSERT INTO call_stats (
    account_id, width, dimension, bucket, key, calls, outgoing, answered, busy, unanswered,
    cancelled, ivr, rang, talk_seconds, ring_seconds, duration_seconds, longest_talk_seconds)
SELECT
    account_id, width, dimension,
    started_at / (width * 1000000) - (started_at % (width * 1000000) < 0)::integer AS bucket, key,
    count(*), count(*) FILTER (WHERE outgoing),
    count(*) FILTER (WHERE status_detail = 'SUCCESS'), count(*) FILTER (WHERE status_detail = 'BUSY'),
    count(*) FILTER (WHERE status_detail = 'UNSUCCESS'),
    count(*) FILTER (WHERE status_detail = 'CANCELLED'),
    count(*) FILTER (WHERE status_detail = 'IVR'), count(*) FILTER (WHERE ringing_seconds > 0),
    sum(billing_seconds), sum(ringing_seconds), sum(duration_seconds), max(billing_seconds)
FROM seen CROSS JOIN (VALUES (900::bigint), (10800), (86400)) AS widths (width)
GROUP BY account_id, width, dimension, bucket, key
ORDER BY account_id, width, dimension, bucket, key
ON CONFLICT (account_id, width, dimension, bucket, key) DO UPDATE SET
    calls = call_stats.calls + excluded.calls,
    outgoing = call_stats.outgoing + excluded.outgoing,
    answered = call_stats.answered + excluded.answered,
    busy = call_stats.busy + excluded.busy,
    unanswered = call_stats.unanswered + excluded.unanswered,
    cancelled = call_stats.cancelled + excluded.cancelled,
    ivr = call_stats.ivr + excluded.ivr,
    rang = call_stats.rang + excluded.rang,
    talk_seconds = call_stats.talk_seconds + excluded.talk_seconds,
    ring_seconds = call_stats.ring_seconds + excluded.ring_seconds,
    duration_seconds = call_stats.duration_seconds + excluded.duration_seconds,
    longest_talk_seconds = greatest(call_stats.longest_talk_seconds, excluded.longest_talk_seconds);

-- name: sums(account_id, widths, lows, highs, dimension, most)
-- What the buckets [low, high) of each span come to, by the span's place and by key; at most so many.
SELECT s.n, t.key, sum(calls)::bigint, sum(outgoing)::bigint, sum(answered)::bigint,
       sum(busy)::bigint, sum(unanswered)::bigint, sum(cancelled)::bigint, sum(ivr)::bigint,
       sum(rang)::bigint, sum(talk_seconds)::bigint, sum(ring_seconds)::bigint,
       sum(duration_seconds)::bigint, max(longest_talk_seconds)
FROM unnest(:widths::integer[], :lows::bigint[], :highs::bigint[]) WITH ORDINALITY
    AS s (width, low, high, n)
JOIN call_stats t ON t.account_id = :account_id AND t.width = s.width
    AND t.dimension = :dimension AND t.bucket >= s.low AND t.bucket < s.high
GROUP BY s.n, t.key ORDER BY s.n, t.key LIMIT :most;

-- name: counted_from(account_id)$
-- Calls of the account that started before this are not counted yet; null: all are.
SELECT counted_from FROM call_stats_marks WHERE account_id = :account_id;

-- name: newest_mark()^
-- The account whose uncounted calls are the newest, and where they end.
SELECT account_id, counted_from FROM call_stats_marks ORDER BY counted_from DESC, account_id LIMIT 1;

-- name: lock_mark(account_id)$
-- The account's mark, for nobody else to move until the transaction ends.
SELECT counted_from FROM call_stats_marks WHERE account_id = :account_id FOR UPDATE;

-- name: start_before(account_id, high, skip)$
-- When the call started that has ``skip`` calls between it and ``high``.
SELECT started_at FROM calls WHERE account_id = :account_id AND started_at < :high
ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET :skip;

-- name: keys_between(account_id, low, high)
-- The keys of the calls that started in [low, high).
SELECT account_id, started_at, id FROM calls
WHERE account_id = :account_id AND started_at >= :low AND started_at < :high;

-- name: move_mark(account_id, counted_from)!
-- The calls from there on are counted.
UPDATE call_stats_marks SET counted_from = :counted_from WHERE account_id = :account_id;

-- name: drop_mark(account_id)!
-- All calls of the account are counted.
DELETE FROM call_stats_marks WHERE account_id = :account_id;

-- name: forget(account_id, width, before, step)!
-- Delete buckets of one width before ``before``, at most ``step`` of them.
DELETE FROM call_stats WHERE (account_id, width, dimension, bucket, key) IN (
    SELECT account_id, width, dimension, bucket, key FROM call_stats
    WHERE account_id = :account_id AND width = :width AND bucket < :before LIMIT :step);

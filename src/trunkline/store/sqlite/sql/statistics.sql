-- name: add_sums(account_id, width, dimension, bucket, key, calls, outgoing, answered, busy, unanswered, cancelled, ivr, rang, talk_seconds, ring_seconds, duration_seconds, longest_talk_seconds)*!
-- Add what calls came to.
INSERT INTO call_stats (
    account_id, width, dimension, bucket, "key", calls, outgoing, answered, busy, unanswered,
    cancelled, ivr, rang, talk_seconds, ring_seconds, duration_seconds, longest_talk_seconds)
VALUES (
    :account_id, :width, :dimension, :bucket, :key, :calls, :outgoing, :answered, :busy, :unanswered,
    :cancelled, :ivr, :rang, :talk_seconds, :ring_seconds, :duration_seconds, :longest_talk_seconds)
ON CONFLICT (account_id, width, dimension, bucket, "key") DO UPDATE SET
    calls = calls + excluded.calls,
    outgoing = outgoing + excluded.outgoing,
    answered = answered + excluded.answered,
    busy = busy + excluded.busy,
    unanswered = unanswered + excluded.unanswered,
    cancelled = cancelled + excluded.cancelled,
    ivr = ivr + excluded.ivr,
    rang = rang + excluded.rang,
    talk_seconds = talk_seconds + excluded.talk_seconds,
    ring_seconds = ring_seconds + excluded.ring_seconds,
    duration_seconds = duration_seconds + excluded.duration_seconds,
    longest_talk_seconds = max(longest_talk_seconds, excluded.longest_talk_seconds);

-- name: calls_between(account_id, low, high)
-- What is summed of the calls that started in [low, high).
SELECT {counted}
FROM calls
WHERE account_id = :account_id AND started_at >= :low AND started_at < :high;

-- name: sums(account_id, width, dimension, low, high)
-- What the buckets [low, high) come to, by key.
SELECT "key", sum(calls), sum(outgoing), sum(answered), sum(busy), sum(unanswered), sum(cancelled),
       sum(ivr), sum(rang), sum(talk_seconds), sum(ring_seconds), sum(duration_seconds),
       max(longest_talk_seconds)
FROM call_stats
WHERE account_id = :account_id AND width = :width AND dimension = :dimension
  AND bucket >= :low AND bucket < :high
GROUP BY "key" ORDER BY "key";

-- name: counted_from(account_id)$
-- Calls of the account that started before this are not counted yet; null: all are.
SELECT counted_from FROM call_stats_marks WHERE account_id = :account_id;

-- name: newest_mark()^
-- The account whose uncounted calls are the newest, and where they end.
SELECT account_id, counted_from FROM call_stats_marks ORDER BY counted_from DESC, account_id LIMIT 1;

-- name: start_before(account_id, high, skip)$
-- When the call started that has ``skip`` calls between it and ``high``.
SELECT started_at FROM calls WHERE account_id = :account_id AND started_at < :high
ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET :skip;

-- name: move_mark(account_id, counted_from)!
-- The calls from there on are counted.
UPDATE call_stats_marks SET counted_from = :counted_from WHERE account_id = :account_id;

-- name: drop_mark(account_id)!
-- All calls of the account are counted.
DELETE FROM call_stats_marks WHERE account_id = :account_id;

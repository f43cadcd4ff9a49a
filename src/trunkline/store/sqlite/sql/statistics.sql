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

-- name: sums(account_id, width, dimension, low, high)
-- What the buckets [low, high) come to, by key.
SELECT "key", sum(calls), sum(outgoing), sum(answered), sum(busy), sum(unanswered), sum(cancelled),
       sum(ivr), sum(rang), sum(talk_seconds), sum(ring_seconds), sum(duration_seconds),
       max(longest_talk_seconds)
FROM call_stats
WHERE account_id = :account_id AND width = :width AND dimension = :dimension
  AND bucket >= :low AND bucket < :high
GROUP BY "key" ORDER BY "key";

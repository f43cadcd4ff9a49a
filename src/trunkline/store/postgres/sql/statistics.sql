-- name: add_sums(all_account_id, all_width, all_dimension, all_bucket, all_key, all_calls, all_outgoing, all_answered, all_busy, all_unanswered, all_cancelled, all_ivr, all_rang, all_talk_seconds, all_ring_seconds, all_duration_seconds, all_longest_talk_seconds)!
-- Add what calls came to, in the order of the keys.
INSERT INTO call_stats (
    account_id, width, dimension, bucket, key, calls, outgoing, answered, busy, unanswered,
    cancelled, ivr, rang, talk_seconds, ring_seconds, duration_seconds, longest_talk_seconds)
SELECT * FROM unnest(
    :all_account_id::text[], :all_width::integer[], :all_dimension::text[], :all_bucket::bigint[],
    :all_key::text[], :all_calls::bigint[], :all_outgoing::bigint[], :all_answered::bigint[],
    :all_busy::bigint[], :all_unanswered::bigint[], :all_cancelled::bigint[], :all_ivr::bigint[],
    :all_rang::bigint[], :all_talk_seconds::bigint[], :all_ring_seconds::bigint[], :all_duration_seconds::bigint[],
    :all_longest_talk_seconds::bigint[])
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

-- name: marks_of(account_ids)
-- The accounts that have calls yet to be counted, and where those end; nobody moves it meanwhile.
SELECT account_id, counted_from FROM call_stats_marks
WHERE account_id = ANY(:account_ids::text[]) ORDER BY account_id FOR SHARE;

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

-- name: lock_mark(account_id)$
-- The account's mark, for nobody else to move until the transaction ends.
SELECT counted_from FROM call_stats_marks WHERE account_id = :account_id FOR UPDATE;

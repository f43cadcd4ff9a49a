-- name: terms_between(account_number, low, high, most)
-- At most so many different terms in [low, high), in order: a seek for each, however many calls it has.
WITH RECURSIVE each_term (term) AS (
    SELECT (SELECT f.term FROM call_terms f
            WHERE f.account_number = :account_number AND f.term >= :low AND f.term < :high
            ORDER BY f.term LIMIT 1)
    UNION ALL
    SELECT (SELECT f.term FROM call_terms f
            WHERE f.account_number = :account_number AND f.term > e.term AND f.term < :high
            ORDER BY f.term LIMIT 1)
    FROM each_term e WHERE e.term IS NOT NULL
)
SELECT term FROM each_term WHERE term IS NOT NULL LIMIT :most;

-- name: key_of(account_id, call_id)
-- The key of a call.
SELECT started_at, id FROM {call_ids} WHERE id = :call_id AND account_id = :account_id;

-- name: keys_held(account_id, low, at, id, most)
-- The keys of at most so many calls on hold, newest first, after (at, id).
SELECT started_at, call_id FROM call_holds
WHERE account_id = :account_id AND started_at >= :low AND (started_at, call_id) < (:at, :id)
ORDER BY started_at DESC, call_id DESC LIMIT :most;

-- name: keys_changed(account_id, after, most)
-- The keys of the calls that were changed after a number, in the order of their last change.
SELECT seq, started_at, call_id FROM call_updates
WHERE account_number = (SELECT number FROM accounts WHERE id = :account_id) AND seq > :after
ORDER BY seq LIMIT :most;

-- name: key_at(account_id, low, at, id, skip)^
-- The key of the call that comes ``skip`` calls after the one that follows (at, id), newest first.
SELECT started_at, id FROM calls
WHERE account_id = :account_id AND started_at >= :low {to the month of at}
    AND (started_at, id) < (:at, :id)
ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET :skip;

-- name: rows_after(account_id, at, id, last_at, last_id, most, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- Calls from the one that follows (at, id) to (last_at, last_id), newest first, of those that are wanted.
SELECT {row}
FROM calls
WHERE account_id = :account_id {from the month of last_at} {to the month of at}
    AND (started_at, id) < (:at, :id) AND (started_at, id) >= (:last_at, :last_id)
    AND {wanted of calls}
ORDER BY started_at DESC, id DESC LIMIT :most;

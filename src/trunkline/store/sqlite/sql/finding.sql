-- name: next_updates(account_id, n)^
-- The number of the last of an account's next changes of calls, and its own; none where it is no more.
UPDATE accounts SET last_update = last_update + :n WHERE id = :account_id
RETURNING last_update, number;

-- name: number_of(account_id)$
-- An account's short number.
SELECT number FROM accounts WHERE id = :account_id;

-- name: add_terms(account_number, term, started_at)*!
-- A call that started then is found by these.
INSERT INTO call_terms (account_number, term, started_at)
VALUES (:account_number, :term, :started_at) ON CONFLICT DO NOTHING;

-- name: drop_terms(account_number, term, started_at)*!
-- No call that started then is found by these any more.
DELETE FROM call_terms
WHERE account_number = :account_number AND term = :term AND started_at = :started_at;

-- name: add_updates(account_number, seq, started_at, call_id)*!
-- The last changes of calls.
INSERT INTO call_updates (account_number, seq, started_at, call_id)
VALUES (:account_number, :seq, :started_at, :call_id);

-- name: set_indexed(seq, call_id)*!
-- A call of before this schema has its number; nothing else of it has changed.
UPDATE calls SET update_seq = :seq WHERE id = :call_id;

-- name: drop_update(account_number, seq)!
-- It is not the call's last change any more.
DELETE FROM call_updates WHERE account_number = :account_number AND seq = :seq;

-- name: set_update(seq, at, call_id)!
-- Note the number and the time of a call's last change.
UPDATE calls SET update_seq = :seq, updated_at = :at WHERE id = :call_id;

-- name: set_marks(note, tags, call_id)!
-- Note what people say of a call.
UPDATE calls SET note = :note, tags = :tags WHERE id = :call_id;

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

-- name: starts_counted(account_number, term, low, high, most)$
-- How many times of start in [low, high) calls with a term have, counted up to ``most``.
SELECT count(*) FROM (
    SELECT 1 FROM call_terms
    WHERE account_number = :account_number AND term = :term
        AND started_at >= :low AND started_at < :high
    LIMIT :most);

-- name: starts_with(account_number, term, low, upto)
-- When calls with a term started, in [low, upto], newest first.
SELECT started_at FROM call_terms
WHERE account_number = :account_number AND term = :term
    AND started_at >= :low AND started_at <= :upto
ORDER BY started_at DESC;

-- name: calls_at(account_id, starts, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- The ids of the calls of each time of start (of a JSON array, in its order; null for none), and which
-- of them are wanted. (Unlike AND, CASE evaluates no more than it has to.)
SELECT k.value, c.id, CASE WHEN c.id IS NOT NULL
    AND (:class_ = '' OR class = :class_) AND (:direction = '' OR direction = :direction)
    AND (:statuses = '' OR instr(:statuses, ',' || status_detail || ',') > 0)
    AND duration_seconds BETWEEN :shortest AND :longest
    AND billing_seconds BETWEEN :billed_from AND :billed_to
    AND (:recorded IS NULL OR (recording <> '') = :recorded)
    AND (:held IS NULL OR EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = c.id) = :held)
    THEN 1 ELSE 0 END
FROM json_each(:starts) k
LEFT JOIN calls c ON c.account_id = :account_id AND c.started_at = k.value;

-- name: keys_at(account_id, low, at, id)
-- The keys of the calls that started from ``low`` on and follow (at, id), newest first.
SELECT started_at, id FROM calls
WHERE account_id = :account_id AND started_at >= :low AND (started_at, id) < (:at, :id)
ORDER BY started_at DESC, id DESC;

-- name: key_of(account_id, call_id)
-- The key of a call.
SELECT started_at, id FROM calls WHERE id = :call_id AND account_id = :account_id;

-- name: keys_held(account_id, low, at, id)
-- The keys of the calls on hold, newest first, after (at, id).
SELECT started_at, call_id FROM call_holds
WHERE account_id = :account_id AND started_at >= :low AND (started_at, call_id) < (:at, :id)
ORDER BY started_at DESC, call_id DESC;

-- name: hold(call_id, account_id, started_at, now)!
-- Put a call on hold.
INSERT INTO call_holds (call_id, account_id, started_at, held_at)
VALUES (:call_id, :account_id, :started_at, :now) ON CONFLICT DO NOTHING;

-- name: release(call_id)!
-- It is on hold no more.
DELETE FROM call_holds WHERE call_id = :call_id;

-- name: drop_events_before_log(call_id, account_id)!
-- The events of a call that its hold alone has kept.
DELETE FROM events WHERE account_id = :account_id AND call_id = :call_id
    AND seq < (SELECT events_from FROM accounts WHERE id = :account_id);

-- name: keys_changed(account_id, after, most)
-- The keys of the calls that were changed after a number, in the order of their last change.
SELECT seq, started_at, call_id FROM call_updates
WHERE account_number = (SELECT number FROM accounts WHERE id = :account_id) AND seq > :after
ORDER BY seq LIMIT :most;

-- name: key_at(account_id, low, at, id, skip)^
-- The key of the call that comes ``skip`` calls after the one that follows (at, id), newest first.
SELECT started_at, id FROM calls
WHERE account_id = :account_id AND started_at >= :low AND (started_at, id) < (:at, :id)
ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET :skip;

-- name: rows_after(account_id, at, id, last_at, last_id, most, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- Calls from the one that follows (at, id) to (last_at, last_id), newest first, of those that are wanted.
SELECT {row}
FROM calls
WHERE account_id = :account_id
    AND (started_at, id) < (:at, :id) AND (started_at, id) >= (:last_at, :last_id)
    AND (:class_ = '' OR class = :class_) AND (:direction = '' OR direction = :direction)
    AND (:statuses = '' OR instr(:statuses, ',' || status_detail || ',') > 0)
    AND duration_seconds BETWEEN :shortest AND :longest
    AND billing_seconds BETWEEN :billed_from AND :billed_to
    AND (:recorded IS NULL OR (recording <> '') = :recorded)
    AND (:held IS NULL OR EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = calls.id) = :held)
ORDER BY started_at DESC, id DESC LIMIT :most;

-- name: rows_of(account_id, keys, low, high, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- The calls with these keys (a JSON array of [started_at, id]), in any order, of those that are wanted.
SELECT {row of c}
FROM json_each(:keys) k
CROSS JOIN calls c ON c.account_id = :account_id
    AND c.started_at = json_extract(k.value, '$[0]') AND c.id = json_extract(k.value, '$[1]')
WHERE started_at >= :low AND started_at < :high
    AND (:class_ = '' OR class = :class_) AND (:direction = '' OR direction = :direction)
    AND (:statuses = '' OR instr(:statuses, ',' || status_detail || ',') > 0)
    AND duration_seconds BETWEEN :shortest AND :longest
    AND billing_seconds BETWEEN :billed_from AND :billed_to
    AND (:recorded IS NULL OR (recording <> '') = :recorded)
    AND (:held IS NULL OR EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = c.id) = :held);

-- name: row_of(call_id)^
-- A finished call.
SELECT {row}
FROM calls WHERE id = :call_id;

-- name: rows_at(account_id, at, most)
-- At most so many calls that started then.
SELECT {row}
FROM calls WHERE account_id = :account_id AND started_at = :at LIMIT :most;

-- name: not_indexed(account_id, at, id, most)
-- The calls that follow in the order of their keys.
SELECT {row}
FROM calls WHERE (account_id, started_at, id) > (:account_id, :at, :id)
ORDER BY account_id, started_at, id LIMIT :most;

-- name: indexed_to()$
-- How far the calls of before this schema are indexed; none: all of them.
SELECT value FROM meta WHERE "key" = 'calls_indexed_to';

-- name: set_indexed_to(value)!
-- They are indexed so far.
UPDATE meta SET value = :value WHERE "key" = 'calls_indexed_to';

-- name: all_indexed()!
-- They are all indexed.
DELETE FROM meta WHERE "key" = 'calls_indexed_to';

-- name: deliveries_of_call(account_id, call_id, most)
-- What webhooks were sent of a call, newest first.
SELECT id, webhook_id, account_id, seq, gap_from, lane, call_id, name, kind, state, attempts, step,
       first_at, next_at, created_at, done_at, last_status, last_error
FROM webhook_deliveries WHERE call_id = :call_id AND account_id = :account_id
ORDER BY id DESC LIMIT :most;

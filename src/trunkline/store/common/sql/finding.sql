-- name: next_update(account_id)$
-- The number of an account's next change of a call; none where the account is no more.
UPDATE accounts SET last_update = last_update + 1 WHERE id = :account_id RETURNING last_update;

-- name: number_of(account_id)$
-- An account's short number.
SELECT number FROM accounts WHERE id = :account_id;

-- name: add_terms(account_numbers, terms, started_ats)!
-- Calls that started then are found by these.
INSERT INTO call_terms (account_number, term, started_at)
SELECT * FROM unnest(:account_numbers::integer[], :terms::text[], :started_ats::bigint[])
ON CONFLICT DO NOTHING;

-- name: drop_terms(account_number, started_ats, terms)!
-- No calls that started then are found by these any more.
DELETE FROM call_terms t
USING unnest(:started_ats::bigint[], :terms::text[]) AS u (started_at, term)
WHERE t.account_number = :account_number AND t.term = u.term AND t.started_at = u.started_at;

-- name: add_update(account_number, seq, started_at, call_id)!
-- A call's last change.
INSERT INTO call_updates (account_number, seq, started_at, call_id)
VALUES (:account_number, :seq, :started_at, :call_id);

-- name: drop_update(account_number, seq)!
-- It is not the call's last change any more.
DELETE FROM call_updates WHERE account_number = :account_number AND seq = :seq;

-- name: set_update(seq, at, account_id, started_at, call_id)!
-- Note the number and the time of a call's last change.
UPDATE calls SET update_seq = :seq, updated_at = :at
WHERE account_id = :account_id AND started_at = :started_at AND id = :call_id;

-- name: set_marks(note, tags, account_id, started_at, call_id)!
-- Note what people say of a call.
UPDATE calls SET note = :note, tags = :tags
WHERE account_id = :account_id AND started_at = :started_at AND id = :call_id;

-- name: number_calls(account_numbers, seqs, started_ats, call_ids)!
-- Calls have their first numbers: they are in the order of changes.
WITH advanced AS (
    UPDATE accounts a SET last_update = m.seq
    FROM (SELECT number, max(seq) AS seq
          FROM unnest(:account_numbers::integer[], :seqs::bigint[]) AS u (number, seq)
          GROUP BY number) m
    WHERE a.number = m.number)
INSERT INTO call_updates (account_number, seq, started_at, call_id)
SELECT * FROM unnest(
    :account_numbers::integer[], :seqs::bigint[], :started_ats::bigint[], :call_ids::text[]);

-- name: set_numbers(account_ids, seqs, started_ats, call_ids)!
-- Calls of before this schema have their numbers; nothing else of them has changed.
UPDATE calls c SET update_seq = u.seq
FROM unnest(:account_ids::text[], :seqs::bigint[], :started_ats::bigint[], :call_ids::text[])
    AS u (account_id, seq, started_at, call_id)
WHERE c.account_id = u.account_id AND c.started_at = u.started_at AND c.id = u.call_id;

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

-- name: starts_counted(account_number, terms, low, high, most)$
-- How many times of start in [low, high) calls with one of the terms have; of each counted up to ``most``.
SELECT coalesce(sum(c.n), 0)::bigint
FROM unnest(:terms::text[]) AS t (term), LATERAL (
    SELECT count(*) AS n FROM (
        SELECT 1 FROM call_terms
        WHERE account_number = :account_number AND term = t.term
          AND started_at >= :low AND started_at < :high
        LIMIT :most) s) c;

-- name: keys_with(account_number, account_id, terms, low, upto, at, id, most)
-- The keys of at most so many calls that started when calls with one of the terms did, newest first,
-- after (at, id) and so before ``upto``; an empty id where none is left.
WITH starts AS MATERIALIZED (
    SELECT DISTINCT k.started_at
    FROM unnest(:terms::text[]) AS t (term), LATERAL (
        SELECT started_at FROM call_terms
        WHERE account_number = :account_number AND term = t.term
          AND started_at >= :low AND started_at < :upto
        ORDER BY started_at DESC LIMIT :most) k
    ORDER BY k.started_at DESC LIMIT :most
)
SELECT s.started_at, coalesce(k.id, '')
FROM (SELECT started_at FROM starts ORDER BY started_at DESC) s LEFT JOIN LATERAL (
    SELECT id FROM calls
    WHERE account_id = :account_id AND started_at = s.started_at
      AND (started_at, id) < (:at, :id)
    ORDER BY id DESC LIMIT :most) k ON true
ORDER BY s.started_at DESC, k.id DESC LIMIT :most;

-- name: key_of(account_id, call_id)
-- The key of a call.
SELECT started_at, id FROM call_ids WHERE id = :call_id AND account_id = :account_id;

-- name: keys_held(account_id, low, at, id, most)
-- The keys of at most so many calls on hold, newest first, after (at, id).
SELECT started_at, call_id FROM call_holds
WHERE account_id = :account_id AND started_at >= :low AND (started_at, call_id) < (:at, :id)
ORDER BY started_at DESC, call_id DESC LIMIT :most;

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
WHERE account_id = :account_id AND started_at >= :low AND started_at <= :at
    AND (started_at, id) < (:at, :id)
ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET :skip;

-- name: rows_after(account_id, at, id, last_at, last_id, most, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- Calls from the one that follows (at, id) to (last_at, last_id), newest first, of those that are wanted.
SELECT {row}
FROM calls
WHERE account_id = :account_id AND started_at >= :last_at AND started_at <= :at
    AND (started_at, id) < (:at, :id) AND (started_at, id) >= (:last_at, :last_id)
    AND (:class_::text IS NULL OR class = :class_::text)
    AND (:direction::text IS NULL OR direction = :direction::text)
    AND (:statuses::text[] IS NULL OR status_detail = ANY(:statuses::text[]))
    AND duration_seconds BETWEEN :shortest::bigint AND :longest::bigint
    AND billing_seconds BETWEEN :billed_from::bigint AND :billed_to::bigint
    AND (:recorded::boolean IS NULL OR (recording <> '') = :recorded::boolean)
    AND (:held::boolean IS NULL
         OR EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = calls.id) = :held::boolean)
ORDER BY started_at DESC, id DESC LIMIT :most;

-- name: rows_of(account_id, starts, ids, low, high, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- The calls with these keys, in any order, of those that are wanted.
SELECT {row of c}
FROM unnest(:starts::bigint[], :ids::text[]) AS k (started_at, id)
JOIN calls c ON c.account_id = :account_id AND c.started_at = k.started_at AND c.id = k.id
WHERE c.started_at >= :low AND c.started_at < :high
    AND (:class_::text IS NULL OR class = :class_::text)
    AND (:direction::text IS NULL OR direction = :direction::text)
    AND (:statuses::text[] IS NULL OR status_detail = ANY(:statuses::text[]))
    AND duration_seconds BETWEEN :shortest::bigint AND :longest::bigint
    AND billing_seconds BETWEEN :billed_from::bigint AND :billed_to::bigint
    AND (:recorded::boolean IS NULL OR (recording <> '') = :recorded::boolean)
    AND (:held::boolean IS NULL
         OR EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = c.id) = :held::boolean);

-- name: row_of(call_id)^
-- A finished call.
SELECT {row of c}
FROM call_ids i
JOIN calls c ON c.account_id = i.account_id AND c.started_at = i.started_at AND c.id = i.id
WHERE i.id = :call_id;

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
SELECT value FROM meta WHERE key = 'calls_indexed_to';

-- name: lock_indexed_to()$
-- The same, for nobody else to go on until the transaction ends.
SELECT value FROM meta WHERE key = 'calls_indexed_to' FOR UPDATE;

-- name: set_indexed_to(value)!
-- They are indexed so far.
UPDATE meta SET value = :value WHERE key = 'calls_indexed_to';

-- name: all_indexed()!
-- They are all indexed.
DELETE FROM meta WHERE key = 'calls_indexed_to';

-- name: deliveries_of_call(account_id, call_id, most)
-- What webhooks were sent of a call, newest first.
SELECT id, webhook_id, account_id, seq, gap_from, lane, call_id, name, kind, state, attempts, step,
       first_at, next_at, created_at, done_at, last_status, last_error
FROM webhook_deliveries WHERE call_id = :call_id AND account_id = :account_id
ORDER BY id DESC LIMIT :most;

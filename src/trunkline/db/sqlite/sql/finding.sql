-- name: next_update(account_id)$
-- The number of an account's next change of a call; none where the account is no more.
UPDATE accounts SET last_update = last_update + 1 WHERE id = :account_id RETURNING last_update;

-- name: add_terms(account_id, term, started_at, call_id)*!
-- A call is found by these.
INSERT INTO call_terms (account_id, term, started_at, call_id)
VALUES (:account_id, :term, :started_at, :call_id) ON CONFLICT DO NOTHING;

-- name: drop_terms(account_id, term, started_at, call_id)*!
-- A call is found by these no more.
DELETE FROM call_terms WHERE account_id = :account_id AND term = :term
    AND started_at = :started_at AND call_id = :call_id;

-- name: add_update(account_id, seq, started_at, call_id)!
-- A call's last change.
INSERT INTO call_updates (account_id, seq, started_at, call_id)
VALUES (:account_id, :seq, :started_at, :call_id);

-- name: add_updates(account_id, seq, started_at, call_id)*!
-- The last changes of calls.
INSERT INTO call_updates (account_id, seq, started_at, call_id)
VALUES (:account_id, :seq, :started_at, :call_id);

-- name: set_indexed(seq, call_id)*!
-- A call of before this schema has its number; nothing else of it has changed.
UPDATE calls SET update_seq = :seq WHERE id = :call_id;

-- name: drop_update(account_id, seq)!
-- It is not the call's last change any more.
DELETE FROM call_updates WHERE account_id = :account_id AND seq = :seq;

-- name: set_update(seq, at, call_id)!
-- Note the number and the time of a call's last change.
UPDATE calls SET update_seq = :seq, updated_at = :at WHERE id = :call_id;

-- name: set_marks(note, tags, call_id)!
-- Note what people say of a call.
UPDATE calls SET note = :note, tags = :tags WHERE id = :call_id;

-- name: terms_between(account_id, low, high, most)
-- At most so many different terms in [low, high), in order: a seek for each, however many calls it has.
WITH RECURSIVE each_term (term) AS (
    SELECT (SELECT f.term FROM call_terms f
            WHERE f.account_id = :account_id AND f.term >= :low AND f.term < :high
            ORDER BY f.term LIMIT 1)
    UNION ALL
    SELECT (SELECT f.term FROM call_terms f
            WHERE f.account_id = :account_id AND f.term > e.term AND f.term < :high
            ORDER BY f.term LIMIT 1)
    FROM each_term e WHERE e.term IS NOT NULL
)
SELECT term FROM each_term WHERE term IS NOT NULL LIMIT :most;

-- name: calls_with(account_id, term, low, high, most)$
-- How many calls started in [low, high) and have a term, counted up to ``most``.
SELECT count(*) FROM (
    SELECT 1 FROM call_terms
    WHERE account_id = :account_id AND term = :term AND started_at >= :low AND started_at < :high
    LIMIT :most);

-- name: keys_with(account_id, term, low, at, id)
-- The keys of the calls that have a term, newest first, after (at, id).
SELECT started_at, call_id FROM call_terms
WHERE account_id = :account_id AND term = :term AND started_at >= :low
    AND (started_at, call_id) < (:at, :id)
ORDER BY started_at DESC, call_id DESC;

-- name: key_of(account_id, call_id)
-- The key of a call.
SELECT started_at, id FROM calls WHERE id = :call_id AND account_id = :account_id;

-- name: keys_changed(account_id, after, most)
-- The keys of the calls that were changed after a number, in the order of their last change.
SELECT seq, started_at, call_id FROM call_updates
WHERE account_id = :account_id AND seq > :after ORDER BY seq LIMIT :most;

-- name: key_at(account_id, low, at, id, skip)^
-- The key of the call that comes ``skip`` calls after the one that follows (at, id), newest first.
SELECT started_at, id FROM calls
WHERE account_id = :account_id AND started_at >= :low AND (started_at, id) < (:at, :id)
ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET :skip;

-- name: rows_after(account_id, at, id, last_at, last_id, most, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded)
-- Calls from the one that follows (at, id) to (last_at, last_id), newest first, of those that are wanted.
SELECT id, account_id, caller_number, caller_username, caller_name, caller_user_id, caller_device_id,
    callee_number, callee_username, callee_name, callee_user_id, callee_device_id, class, direction,
    did_number, status_detail, started_at, answered_at, ended_at, duration_seconds, billing_seconds,
    ringing_seconds, hangup_cause, recording, client_ref, app_id, trunk, engine_died, note, tags,
    update_seq
FROM calls
WHERE account_id = :account_id
    AND (started_at, id) < (:at, :id) AND (started_at, id) >= (:last_at, :last_id)
    AND (:class_ = '' OR class = :class_) AND (:direction = '' OR direction = :direction)
    AND (:statuses = '' OR instr(:statuses, ',' || status_detail || ',') > 0)
    AND duration_seconds BETWEEN :shortest AND :longest
    AND billing_seconds BETWEEN :billed_from AND :billed_to
    AND (:recorded IS NULL OR (recording <> '') = :recorded)
ORDER BY started_at DESC, id DESC LIMIT :most;

-- name: rows_of(account_id, keys, low, high, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded)
-- The calls with these keys (a JSON array of [started_at, id]), in any order, of those that are wanted.
SELECT c.id, c.account_id, caller_number, caller_username, caller_name, caller_user_id,
    caller_device_id, callee_number, callee_username, callee_name, callee_user_id, callee_device_id,
    class, direction, did_number, status_detail, started_at, answered_at, ended_at,
    duration_seconds, billing_seconds, ringing_seconds, hangup_cause, recording, client_ref, app_id,
    trunk, engine_died, note, tags, update_seq
FROM json_each(:keys) k
CROSS JOIN calls c ON c.account_id = :account_id
    AND c.started_at = json_extract(k.value, '$[0]') AND c.id = json_extract(k.value, '$[1]')
WHERE started_at >= :low AND started_at < :high
    AND (:class_ = '' OR class = :class_) AND (:direction = '' OR direction = :direction)
    AND (:statuses = '' OR instr(:statuses, ',' || status_detail || ',') > 0)
    AND duration_seconds BETWEEN :shortest AND :longest
    AND billing_seconds BETWEEN :billed_from AND :billed_to
    AND (:recorded IS NULL OR (recording <> '') = :recorded);

-- name: row_of(call_id)^
-- A finished call.
SELECT id, account_id, caller_number, caller_username, caller_name, caller_user_id, caller_device_id,
    callee_number, callee_username, callee_name, callee_user_id, callee_device_id, class, direction,
    did_number, status_detail, started_at, answered_at, ended_at, duration_seconds, billing_seconds,
    ringing_seconds, hangup_cause, recording, client_ref, app_id, trunk, engine_died, note, tags,
    update_seq
FROM calls WHERE id = :call_id;

-- name: not_indexed(account_id, at, id, most)
-- The calls that follow in the order of their keys.
SELECT id, account_id, caller_number, caller_username, caller_name, caller_user_id, caller_device_id,
    callee_number, callee_username, callee_name, callee_user_id, callee_device_id, class, direction,
    did_number, status_detail, started_at, answered_at, ended_at, duration_seconds, billing_seconds,
    ringing_seconds, hangup_cause, recording, client_ref, app_id, trunk, engine_died, note, tags,
    update_seq
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

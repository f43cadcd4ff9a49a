-- name: next_update(account_id)^
-- The number of an account's next change of a call, and its own; none where the account is no more.
UPDATE accounts SET last_update = last_update + 1 WHERE id = :account_id
RETURNING last_update, number;

-- name: number_of(account_id)$
-- An account's short number.
SELECT number FROM accounts WHERE id = :account_id;

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

-- name: row_of(call_id)^
-- A finished call.
SELECT {row of c}
FROM {calls c} WHERE c.id = :call_id;

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

-- name: lock_indexed_to()$
-- The same, for nobody else to go on until the transaction ends.
SELECT value FROM meta WHERE "key" = 'calls_indexed_to' FOR UPDATE;

-- name: set_indexed_to(value)!
-- They are indexed so far.
UPDATE meta SET value = :value WHERE "key" = 'calls_indexed_to';

-- name: all_indexed()!
-- They are all indexed.
DELETE FROM meta WHERE "key" = 'calls_indexed_to';

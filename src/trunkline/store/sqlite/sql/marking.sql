-- name: next_updates(account_id, n)^
-- The number of the last of an account's next changes of calls, and its own; none where it is no more.
UPDATE accounts SET last_update = last_update + :n WHERE id = :account_id
RETURNING last_update, number;

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

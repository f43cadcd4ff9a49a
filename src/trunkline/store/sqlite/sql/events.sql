-- name: take_numbers(n, account_id)$
-- Take the next ``n`` numbers of the account's log; the last one of them, null without the account.
UPDATE accounts SET last_seq = last_seq + :n WHERE id = :account_id RETURNING last_seq;

-- name: add_events(account_id, seq, category, name, subject, call_id, at, body)*!
-- Store numbered events.
INSERT INTO events (account_id, seq, category, name, subject, call_id, at, body)
VALUES (:account_id, :seq, :category, :name, :subject, :call_id, :at, :body);

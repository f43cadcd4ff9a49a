-- name: event_accounts()
-- Every account: each one's log is shortened by itself.
SELECT id FROM accounts;

-- name: prune_events(account_id, before, step)!
-- Delete the oldest events of an account up to the first that is to stay, at most ``step`` of them.
DELETE FROM events WHERE account_id = :account_id AND seq < (
    SELECT coalesce(min(CASE WHEN at >= :before THEN seq END), max(seq) + 1)
    FROM (SELECT seq, at FROM events WHERE account_id = :account_id ORDER BY seq LIMIT :step) e);

-- name: journal_step(before, after, step)^
-- The next ``step`` facts after ``after``: their last id (null: no more), and how many are old.
SELECT max(id) AS last, count(*) FILTER (WHERE at < :before) AS old
FROM (SELECT id, at FROM journal WHERE id > :after ORDER BY id LIMIT :step) j;

-- name: prune_journal(after, last, before)!
-- Of the facts in (after, last], delete the old ones whose call is over.
DELETE FROM journal WHERE id > :after AND id <= :last AND at < :before
    AND call_id NOT IN (SELECT call_id FROM live_calls);

-- name: prune_requests(now, step)!
-- Delete keys that have run out, at most ``step`` of them.
DELETE FROM requests WHERE (app_id, "key") IN
    (SELECT app_id, "key" FROM requests WHERE kept_until <= :now LIMIT :step);

-- name: prune_tokens(now, step)!
-- Delete tokens that have run out, at most ``step`` of them.
DELETE FROM tokens WHERE token_hash IN
    (SELECT token_hash FROM tokens WHERE expires <= :now LIMIT :step);

-- name: prune_deliveries(before, step)!
-- Delete webhook deliveries that are old and done, with their attempts, at most ``step`` of them.
DELETE FROM webhook_deliveries WHERE id IN
    (SELECT id FROM webhook_deliveries WHERE state <> 'pending' AND created_at < :before LIMIT :step);

-- name: counted_from(account_id)$
-- Calls of the account that started before this are not counted yet; null: all are.
SELECT counted_from FROM call_stats_marks WHERE account_id = :account_id;

-- name: newest_mark()^
-- The account whose uncounted calls are the newest, and where they end.
SELECT account_id, counted_from FROM call_stats_marks ORDER BY counted_from DESC, account_id LIMIT 1;

-- name: start_before(account_id, high, skip)$
-- When the call started that has ``skip`` calls between it and ``high``.
SELECT started_at FROM calls WHERE account_id = :account_id AND started_at < :high
ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET :skip;

-- name: calls_between(account_id, low, high)
-- What is summed of the calls that started in [low, high).
SELECT {counted}
FROM calls
WHERE account_id = :account_id AND started_at >= :low AND started_at < :high;

-- name: move_mark(account_id, counted_from)!
-- The calls from there on are counted.
UPDATE call_stats_marks SET counted_from = :counted_from WHERE account_id = :account_id;

-- name: drop_mark(account_id)!
-- All calls of the account are counted.
DELETE FROM call_stats_marks WHERE account_id = :account_id;

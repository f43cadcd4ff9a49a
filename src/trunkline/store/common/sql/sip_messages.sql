-- name: of_call(account_id, call_id, most)
-- What is kept of a call, the oldest first.
SELECT skipped, body FROM sip_messages
WHERE account_id = :account_id AND call_id = :call_id ORDER BY id LIMIT :most;

-- name: next_rows(after, before, step)
-- The next ``step`` rows after ``after``: their last id (null: no more), and how many are old.
SELECT max(id) AS last, count(CASE WHEN stored_at < :before THEN 1 END) AS old
FROM (SELECT id, stored_at FROM sip_messages WHERE id > :after ORDER BY id LIMIT :step) AS following;

-- name: lock_owners(after, last, before)
-- Lock the accounts of the old rows in (after, last], as whoever holds one of their calls does.
SELECT id FROM accounts WHERE id IN (
    SELECT account_id FROM sip_messages
    WHERE id > :after AND id <= :last AND stored_at < :before
) ORDER BY id FOR NO KEY UPDATE;

-- name: prune(after, last, before)!
-- Of the rows in (after, last], delete the old ones, but for those on hold.
DELETE FROM sip_messages WHERE id > :after AND id <= :last AND stored_at < :before
    AND NOT EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = sip_messages.call_id)
    AND NOT EXISTS (SELECT 1 FROM accounts a
                    WHERE a.id = sip_messages.account_id AND a.held_at IS NOT NULL);

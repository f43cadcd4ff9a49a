-- name: limits()
-- Every account's limits, by name.
SELECT id, name, held_at IS NOT NULL, keep_calls, keep_events, keep_recordings
FROM accounts ORDER BY name;

-- name: may_delete(account_id)$
-- Is the account there, and not on hold?
SELECT EXISTS (SELECT 1 FROM accounts WHERE id = :account_id AND held_at IS NULL);

-- name: lock_account(account_id)$
-- Lock an account that is not on hold; its short number.
SELECT number FROM accounts WHERE id = :account_id AND held_at IS NULL FOR NO KEY UPDATE;

-- name: account_of(call_id)$
-- Whose a finished call is.
SELECT account_id FROM {call_ids} WHERE id = :call_id;

-- name: held_calls(call_ids)
-- Those of the calls that are on hold.
SELECT call_id FROM call_holds WHERE call_id = ANY(:call_ids::text[]);

-- name: old_calls(account_id, before, low, at, id, step)
-- The calls from before a time that follow (at, id), oldest first, and whether each is on hold.
SELECT {row}
FROM calls
WHERE account_id = :account_id AND started_at < :before AND started_at >= :low
    AND (started_at, id) > (:at, :id)
ORDER BY started_at, id LIMIT :step;

-- name: calls_due(account_id, before, low)$
-- How many calls are from before a time, but for those on hold.
SELECT (SELECT count(*) FROM calls
        WHERE account_id = :account_id AND started_at < :before AND started_at >= :low)
    - (SELECT count(*) FROM call_holds
       WHERE account_id = :account_id AND started_at < :before AND started_at >= :low);

-- name: old_recordings(account_id, before, at, name, step)
-- The recordings of calls that ended before a time and follow (at, name), for nobody else to change.
SELECT name, call_id, created_at FROM recordings
WHERE account_id = :account_id AND created_at < :before AND (created_at, name) > (:at, :name)
ORDER BY created_at, name LIMIT :step FOR UPDATE;

-- name: recordings_due(account_id, before)$
-- How many recordings are of calls that ended before a time, but for those on hold.
SELECT count(*) FROM recordings r
WHERE account_id = :account_id AND created_at < :before
    AND NOT EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = r.call_id);

-- name: remove_recordings(names)!
-- Recordings are to be removed, with the raw files that no other one is still to be made of.
INSERT INTO recording_removals (name, account_id, call_id, raws, not_before)
SELECT name, account_id, call_id, {raws of r}, coalesce(claimed_until, 0)
FROM recordings r WHERE name = ANY(:names::text[]) ON CONFLICT DO NOTHING;

-- name: drop_recordings(names)!
-- Their rows go.
DELETE FROM recordings WHERE name = ANY(:names::text[]);

-- name: removals(now, after, step)
-- What may be removed now.
SELECT name, raws FROM recording_removals
WHERE not_before <= :now AND name > :after ORDER BY name LIMIT :step;

-- name: removed(names)!
-- Their files are gone.
DELETE FROM recording_removals WHERE name = ANY(:names::text[]);

-- name: log_begins(account_id)$
-- The first number that the account's log is replayed from.
SELECT events_from FROM accounts WHERE id = :account_id;

-- name: first_events(account_id, seq, step)
-- The first events from a number on.
SELECT seq, at FROM events WHERE account_id = :account_id AND seq >= :seq ORDER BY seq LIMIT :step;

-- name: begin_log(account_id, seq)!
-- The account's log begins there.
UPDATE accounts SET events_from = :seq WHERE id = :account_id;

-- name: drop_events(account_id, first, upto)!
-- Delete the events [first, upto), but for those of calls on hold.
DELETE FROM events WHERE account_id = :account_id AND seq >= :first AND seq < :upto
    AND NOT EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = events.call_id);

-- name: events_due(account_id, before)$
-- How many events stand before the first one that is to stay, but for those of calls on hold.
SELECT count(*) FROM events e JOIN accounts a ON a.id = e.account_id
WHERE e.account_id = :account_id AND e.seq >= a.events_from
    AND e.seq < coalesce(
        (SELECT y.seq FROM events y JOIN accounts b ON b.id = y.account_id
         WHERE y.account_id = :account_id AND y.seq >= b.events_from AND y.at >= :before
         ORDER BY y.seq LIMIT 1), a.last_seq + 1)
    AND NOT EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = e.call_id);

-- name: old_deliveries(account_id, before, at, id, step)
-- The webhook deliveries that are done, from before a time, after (at, id), and which are on hold.
SELECT id, created_at, EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = d.call_id)
FROM webhook_deliveries d
WHERE state <> 'pending' AND account_id = :account_id AND created_at < :before
    AND (created_at, id) > (:at, :id)
ORDER BY created_at, id LIMIT :step;

-- name: deliveries_due(account_id, before)$
-- How many webhook deliveries are done and from before a time, but for those of calls on hold.
SELECT count(*) FROM webhook_deliveries d
WHERE state <> 'pending' AND account_id = :account_id AND created_at < :before
    AND NOT EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = d.call_id);

-- name: drop_deliveries(ids)!
-- Delete webhook deliveries with their attempts.
DELETE FROM webhook_deliveries WHERE id = ANY(:ids::bigint[]) AND state <> 'pending';

-- name: facts_after(after, before, step)
-- The next facts after a number, and whether each is old.
SELECT id, call_id, at < :before FROM journal WHERE id > :after ORDER BY id LIMIT :step;

-- name: calls_of_facts(after, upto, before)
-- The calls that have old facts in (after, upto].
SELECT DISTINCT call_id FROM journal WHERE id > :after AND id <= :upto AND at < :before;

-- name: kept_calls(call_ids)
-- Of these calls, those whose facts stay: they are live, or on hold.
SELECT k.id FROM unnest(:call_ids::text[]) AS k (id)
WHERE EXISTS (SELECT 1 FROM live_calls l WHERE l.call_id = k.id)
    OR EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = k.id)
    OR EXISTS (SELECT 1 FROM {call_ids} c JOIN accounts a ON a.id = c.account_id
               WHERE c.id = k.id AND a.held_at IS NOT NULL);

-- name: any_account_held()$
-- Is any account on hold?
SELECT EXISTS (SELECT 1 FROM accounts WHERE held_at IS NOT NULL);

-- name: of_held_accounts(call_ids)
-- Of these calls, those whose facts name an account on hold: some have no record.
SELECT k.id FROM unnest(:call_ids::text[]) AS k (id)
WHERE EXISTS (SELECT 1 FROM journal j JOIN accounts a
                  ON a.id = {account of j}
              WHERE j.call_id = k.id AND a.held_at IS NOT NULL);

-- name: drop_facts(after, upto, before, kept)!
-- Of the facts in (after, upto], delete the old ones but for those of some calls.
DELETE FROM journal WHERE id > :after AND id <= :upto AND at < :before
    AND call_id <> ALL(:kept::text[]);

-- name: prune_requests(now, step)!
-- Delete keys that have run out, at most ``step`` of them.
DELETE FROM requests WHERE (app_id, "key") IN
    (SELECT app_id, "key" FROM requests WHERE kept_until <= :now LIMIT :step);

-- name: prune_tokens(now, step)!
-- Delete tokens that have run out, at most ``step`` of them.
DELETE FROM tokens WHERE token_hash IN
    (SELECT token_hash FROM tokens WHERE expires <= :now LIMIT :step);

-- name: starts_left(account_id, started_ats)
-- Those of the times of start that calls still have.
SELECT g.started_at FROM unnest(:started_ats::bigint[]) AS g (started_at)
WHERE EXISTS (SELECT 1 FROM calls c
              WHERE c.account_id = :account_id AND c.started_at = g.started_at);

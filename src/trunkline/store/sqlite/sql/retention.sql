-- name: limits()
-- Every account's limits, by name.
SELECT id, name, held_at IS NOT NULL, keep_calls, keep_events, keep_recordings
FROM accounts ORDER BY name;

-- name: may_delete(account_id)$
-- Is the account there, and not on hold?
SELECT EXISTS (SELECT 1 FROM accounts WHERE id = :account_id AND held_at IS NULL);

-- name: account_of(call_id)$
-- Whose a finished call is.
SELECT account_id FROM calls WHERE id = :call_id;

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

-- name: drop_call(account_id, started_at, call_id)*!
-- Delete a call's record; its counts go with it.
DELETE FROM calls WHERE account_id = :account_id AND started_at = :started_at AND id = :call_id;

-- name: drop_updates(account_id, seq)*!
-- It is in the order of changes no more.
DELETE FROM call_updates
WHERE account_number = (SELECT number FROM accounts WHERE id = :account_id) AND seq = :seq;

-- name: uncount_minutes(account_id, bucket, n)*!
-- So many calls less in this minute.
UPDATE call_counts_minute SET n = n - :n WHERE account_id = :account_id AND bucket = :bucket;

-- name: uncount_hours(account_id, bucket, n)*!
-- So many calls less in this hour.
UPDATE call_counts_hour SET n = n - :n WHERE account_id = :account_id AND bucket = :bucket;

-- name: uncount_days(account_id, bucket, n)*!
-- So many calls less on this day.
UPDATE call_counts_day SET n = n - :n WHERE account_id = :account_id AND bucket = :bucket;

-- name: drop_minutes(account_id, bucket)*!
-- A minute that has no calls any more.
DELETE FROM call_counts_minute WHERE account_id = :account_id AND bucket = :bucket AND n = 0;

-- name: drop_hours(account_id, bucket)*!
-- The same of an hour.
DELETE FROM call_counts_hour WHERE account_id = :account_id AND bucket = :bucket AND n = 0;

-- name: drop_days(account_id, bucket)*!
-- The same of a day.
DELETE FROM call_counts_day WHERE account_id = :account_id AND bucket = :bucket AND n = 0;

-- name: drop_facts_of(call_id)*!
-- The facts of a call go with its record.
DELETE FROM journal WHERE call_id = :call_id;

-- name: remove_recordings_of(call_id)*!
-- A call's recordings are to be removed, with the raw files that no other one is still to be made of.
INSERT INTO recording_removals (name, account_id, call_id, raws, not_before)
SELECT name, account_id, call_id, coalesce((
    SELECT group_concat(f.raw, ' ') FROM recording_files f WHERE f.recording_id = r.id AND NOT EXISTS (
        SELECT 1 FROM recording_files o JOIN recordings e ON e.id = o.recording_id
        WHERE o.raw = f.raw AND e.id <> r.id AND e.state = 'pending')), ''), coalesce(claimed_until, 0)
FROM recordings r WHERE call_id = :call_id ON CONFLICT DO NOTHING;

-- name: drop_recordings_of(call_id)*!
-- Its row goes.
DELETE FROM recordings WHERE call_id = :call_id;

-- name: old_recordings(account_id, before, at, name, step)
-- The recordings of calls that ended before a time and follow (at, name), and which are on hold.
SELECT name, call_id, created_at, EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = r.call_id)
FROM recordings r
WHERE account_id = :account_id AND created_at < :before AND (created_at, name) > (:at, :name)
ORDER BY created_at, name LIMIT :step;

-- name: recordings_due(account_id, before)$
-- How many recordings are of calls that ended before a time, but for those on hold.
SELECT count(*) FROM recordings r
WHERE account_id = :account_id AND created_at < :before
    AND NOT EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = r.call_id);

-- name: remove_recording(name)!
-- A recording is to be removed, with the raw files that no other one is still to be made of.
INSERT INTO recording_removals (name, account_id, call_id, raws, not_before)
SELECT name, account_id, call_id, coalesce((
    SELECT group_concat(f.raw, ' ') FROM recording_files f WHERE f.recording_id = r.id AND NOT EXISTS (
        SELECT 1 FROM recording_files o JOIN recordings e ON e.id = o.recording_id
        WHERE o.raw = f.raw AND e.id <> r.id AND e.state = 'pending')), ''), coalesce(claimed_until, 0)
FROM recordings r WHERE name = :name ON CONFLICT DO NOTHING;

-- name: drop_recording(name)!
-- Its row goes.
DELETE FROM recordings WHERE name = :name;

-- name: removals(now, after, step)
-- What may be removed now.
SELECT name, raws FROM recording_removals
WHERE not_before <= :now AND name > :after ORDER BY name LIMIT :step;

-- name: removed(name)*!
-- Its files are gone.
DELETE FROM recording_removals WHERE name = :name;

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
        (SELECT y.seq FROM events y
         WHERE y.account_id = :account_id AND y.seq >= a.events_from AND y.at >= :before
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

-- name: drop_delivery(id)*!
-- Delete a webhook delivery with its attempts.
DELETE FROM webhook_deliveries WHERE id = :id AND state <> 'pending';

-- name: facts_after(after, before, step)
-- The next facts after a number, and whether each is old.
SELECT id, call_id, at < :before FROM journal WHERE id > :after ORDER BY id LIMIT :step;

-- name: calls_of_facts(after, upto, before)
-- The calls that have old facts in (after, upto].
SELECT DISTINCT call_id FROM journal WHERE id > :after AND id <= :upto AND at < :before;

-- name: kept_calls(calls)
-- Of these calls (a JSON array of ids), those whose facts stay: they are live, or on hold.
SELECT k.value FROM json_each(:calls) k
WHERE EXISTS (SELECT 1 FROM live_calls l WHERE l.call_id = k.value)
    OR EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = k.value)
    OR EXISTS (SELECT 1 FROM calls c JOIN accounts a ON a.id = c.account_id
               WHERE c.id = k.value AND a.held_at IS NOT NULL);

-- name: any_account_held()$
-- Is any account on hold?
SELECT EXISTS (SELECT 1 FROM accounts WHERE held_at IS NOT NULL);

-- name: of_held_accounts(calls)
-- Of these calls, those whose facts name an account on hold: some have no record.
SELECT k.value FROM json_each(:calls) k
WHERE EXISTS (SELECT 1 FROM journal j JOIN accounts a
                  ON a.id = json_extract(CAST(j.fact AS TEXT), '$.account_id')
              WHERE j.call_id = k.value AND a.held_at IS NOT NULL);

-- name: drop_facts(after, upto, before, kept)!
-- Of the facts in (after, upto], delete the old ones but for those of some calls (a JSON array).
DELETE FROM journal WHERE id > :after AND id <= :upto AND at < :before
    AND call_id NOT IN (SELECT value FROM json_each(:kept));

-- name: prune_requests(now, step)!
-- Delete keys that have run out, at most ``step`` of them.
DELETE FROM requests WHERE (app_id, "key") IN
    (SELECT app_id, "key" FROM requests WHERE kept_until <= :now LIMIT :step);

-- name: prune_tokens(now, step)!
-- Delete tokens that have run out, at most ``step`` of them.
DELETE FROM tokens WHERE token_hash IN
    (SELECT token_hash FROM tokens WHERE expires <= :now LIMIT :step);

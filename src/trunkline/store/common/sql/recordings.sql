-- name: by_name(name, account_id)^
-- The account's recording of that name.
SELECT {recording}
FROM recordings WHERE name = :name AND account_id = :account_id;

-- name: any_account(name)^
-- The recording of that name, whoever's it is.
SELECT {recording}
FROM recordings WHERE name = :name;

-- name: of_raw(raw)
-- The recordings that a raw file is needed for, or was.
SELECT {recording}
FROM recordings WHERE id IN (SELECT recording_id FROM recording_files WHERE raw = :raw)
ORDER BY created_at, name;

-- name: claim(worker, until, name, now)!
-- Take an expected recording that no other worker holds now.
UPDATE recordings SET worker = :worker, claimed_until = :until, attempts = attempts + 1
WHERE name = :name AND state = 'pending'
  AND (worker IS NULL OR worker = :worker OR claimed_until <= :now);

-- name: done(bytes, seconds, name, worker)!
-- The claimed recording is made.
UPDATE recordings SET state = 'ready', bytes = :bytes, seconds = :seconds, reason = '',
    worker = NULL, claimed_until = NULL
WHERE name = :name AND state = 'pending' AND worker = :worker;

-- name: failed(reason, name, worker)!
-- The claimed recording cannot be made, ever.
UPDATE recordings SET state = 'failed', reason = :reason, worker = NULL, claimed_until = NULL
WHERE name = :name AND state = 'pending' AND worker = :worker;

-- name: unnamed(account_id, started_at, call_id)!
-- The call has no recording after all: its record names none. The counts are not touched by it.
UPDATE calls SET recording = ''
WHERE account_id = :account_id AND started_at = :started_at AND id = :call_id;

-- name: released(reason, name, worker)!
-- The claimed recording is to be tried again.
UPDATE recordings SET reason = :reason, worker = NULL, claimed_until = NULL
WHERE name = :name AND state = 'pending' AND worker = :worker;

-- name: expected(before, limit)
-- Recordings not yet made whose call ended before a time, oldest first.
SELECT {recording}
FROM recordings WHERE state = 'pending' AND created_at < :before
ORDER BY created_at, name LIMIT :limit;

-- name: waiting()$
-- How many recordings are not yet made.
SELECT count(*) FROM recordings WHERE state = 'pending';

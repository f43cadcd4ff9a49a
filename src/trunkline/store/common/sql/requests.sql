-- name: take_key(app_id, key, fingerprint, call_id, kept_until, now)$
-- Take a key that nobody has, or whose row has run out; 1 when taken, else null.
INSERT INTO requests (app_id, "key", fingerprint, call_id, kept_until)
VALUES (:app_id, :key, :fingerprint, :call_id, :kept_until)
ON CONFLICT (app_id, "key") DO UPDATE
SET fingerprint = excluded.fingerprint, call_id = excluded.call_id,
    kept_until = excluded.kept_until, status = NULL, body = NULL
WHERE requests.kept_until <= :now
RETURNING 1;

-- name: under_key(app_id, key)^
-- What stands under a key.
SELECT fingerprint, call_id, status, body FROM requests WHERE app_id = :app_id AND "key" = :key;

-- name: answer(status, body, app_id, key)!
-- Store the answer to a claimed key.
UPDATE requests SET status = :status, body = :body
WHERE app_id = :app_id AND "key" = :key AND status IS NULL;

-- name: release(app_id, key)!
-- Forget a claimed key that was not answered.
DELETE FROM requests WHERE app_id = :app_id AND "key" = :key AND status IS NULL;

-- name: lock_account(account_id)$
-- Be the only one who adds endpoints to an account, until the transaction ends.
SELECT 1 FROM accounts WHERE id = :account_id FOR NO KEY UPDATE;

-- name: lock(webhook_id)$
-- Be the only one who changes an endpoint or its deliveries, until the transaction ends.
SELECT 1 FROM webhooks WHERE id = :webhook_id FOR NO KEY UPDATE;

-- name: lock_of(delivery_id)$
-- The same for the endpoint of a delivery; its id.
SELECT w.id FROM webhooks w JOIN webhook_deliveries d ON d.webhook_id = w.id
WHERE d.id = :delivery_id FOR NO KEY UPDATE OF w;

-- name: add(id, account_id, url, description, events, secret, after, now)!
-- Add an endpoint that starts after a number, or after the newest one.
INSERT INTO webhooks (id, account_id, url, description, events, secret, cursor, created_at, changed_at)
SELECT :id::text, a.id, :url::text, :description::text, :events::text, :secret::text,
       coalesce(:after::bigint, a.last_seq), :now::bigint, :now::bigint
FROM accounts a WHERE a.id = :account_id;

-- name: how_many(account_id)$
-- How many endpoints an account has.
SELECT count(*) FROM webhooks WHERE account_id = :account_id;

-- name: get(webhook_id)^
-- An endpoint, without its secrets.
SELECT {webhook}
FROM webhooks WHERE id = :webhook_id;

-- name: listed(created_at, id, limit)
-- Every account's endpoints that follow one, oldest first.
SELECT {webhook}
FROM webhooks WHERE (created_at, id) > (:created_at, :id)
ORDER BY created_at, id LIMIT :limit;

-- name: listed_of(account_id, created_at, id, limit)
-- An account's endpoints that follow one, oldest first.
SELECT {webhook}
FROM webhooks WHERE account_id = :account_id AND (created_at, id) > (:created_at, :id)
ORDER BY created_at, id LIMIT :limit;

-- name: active(account_id)
-- The enabled endpoints of an enabled account.
SELECT {webhook of w}
FROM webhooks w JOIN accounts a ON a.id = w.account_id
WHERE w.account_id = :account_id AND w.state = 'enabled' AND a.enabled;

-- name: active_accounts()
-- The enabled accounts that have enabled endpoints.
SELECT DISTINCT w.account_id FROM webhooks w JOIN accounts a ON a.id = w.account_id
WHERE w.state = 'enabled' AND a.enabled;

-- name: secrets(webhook_id, now)^
-- The secret, and the one before it as long as it signs; both still encrypted.
SELECT secret, CASE WHEN previous_until > :now THEN previous_secret END
FROM webhooks WHERE id = :webhook_id;

-- name: change(url, description, events, now, webhook_id)!
-- Change what is not null.
UPDATE webhooks SET url = coalesce(:url, url), description = coalesce(:description, description),
    events = coalesce(:events, events), changed_at = :now
WHERE id = :webhook_id;

-- name: rotate(until, secret, now, webhook_id)!
-- A new secret; the one until now goes on signing for a time.
UPDATE webhooks SET previous_secret = secret, previous_until = :until, secret = :secret,
    changed_at = :now
WHERE id = :webhook_id;

-- name: enable(now, webhook_id)!
-- Let the endpoint have what waits for it.
UPDATE webhooks SET state = 'enabled', reason = '', failing_since = NULL, failures = 0,
    not_before = 0, changed_at = :now
WHERE id = :webhook_id AND state <> 'enabled';

-- name: stop(state, reason, now, webhook_id)!
-- The endpoint is sent nothing more.
UPDATE webhooks SET state = :state, reason = :reason, changed_at = :now
WHERE id = :webhook_id AND state = 'enabled';

-- name: disable(reason, now, webhook_id)!
-- The endpoint is sent nothing more, whatever its state was.
UPDATE webhooks SET state = 'disabled', reason = :reason, changed_at = :now
WHERE id = :webhook_id AND state <> 'disabled';

-- name: delete(webhook_id)!
-- Forget an endpoint and its deliveries, unless its account or a call of theirs is on hold.
DELETE FROM webhooks WHERE id = :webhook_id
    AND NOT EXISTS (SELECT 1 FROM accounts a
                    WHERE a.id = webhooks.account_id AND a.held_at IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM call_holds h JOIN webhook_deliveries d ON d.call_id = h.call_id
                    WHERE h.account_id = webhooks.account_id AND d.webhook_id = webhooks.id);

-- name: answered(webhook_id)!
-- The endpoint took a delivery.
UPDATE webhooks SET failing_since = NULL, failures = 0
WHERE id = :webhook_id AND failures > 0;

-- name: refused(at, not_before, webhook_id)!
-- An attempt at the endpoint failed.
UPDATE webhooks SET failing_since = coalesce(failing_since, :at), failures = failures + 1,
    not_before = greatest(not_before, :not_before)
WHERE id = :webhook_id;

-- name: move(upto, webhook_id, cursor)!
-- All up to a number has been examined.
UPDATE webhooks SET cursor = :upto
WHERE id = :webhook_id AND cursor = :cursor AND state = 'enabled';

-- name: stopped()$
-- How many endpoints were stopped by what they answered, or did not.
SELECT count(*) FROM webhooks WHERE state <> 'enabled' AND reason <> '';

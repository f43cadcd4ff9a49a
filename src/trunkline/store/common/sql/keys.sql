-- name: by_hash(key_hash, now)^
-- The enabled, unexpired key of an enabled account.
SELECT k.id, k.account_id, k.name, k.scopes, k.allowed_addresses, k.prefix, k.expires_at
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
WHERE k.key_hash = :key_hash AND k.enabled AND a.enabled
  AND (k.expires_at IS NULL OR k.expires_at > :now);

-- name: valid(key_id, now)$
-- 1 for an enabled, unexpired key of an enabled account.
SELECT 1
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
WHERE k.id = :key_id AND k.enabled AND a.enabled
  AND (k.expires_at IS NULL OR k.expires_at > :now);

-- name: listed(account_id, created_at, id, limit)
-- An account's keys that follow one, oldest first.
SELECT id, name, prefix, scopes, allowed_addresses, created_at, expires_at, last_used_at, enabled
FROM api_keys
WHERE account_id = :account_id AND (created_at, id) > (:created_at, :id)
ORDER BY created_at, id LIMIT :limit;

-- name: used(at, key_id)!
-- Note when a key was last used.
UPDATE api_keys SET last_used_at = :at
WHERE id = :key_id AND (last_used_at IS NULL OR last_used_at < :at);

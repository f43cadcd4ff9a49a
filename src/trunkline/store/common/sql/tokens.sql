-- name: add(token_hash, app_id, account_id, expires)!
-- Store a token's hash.
INSERT INTO tokens (token_hash, app_id, account_id, expires)
VALUES (:token_hash, :app_id, :account_id, :expires);

-- name: owner(token_hash, now)^
-- The app and the account of a valid token, both enabled.
SELECT p.id, p.account_id
FROM tokens t
JOIN apps p ON p.id = t.app_id
JOIN accounts a ON a.id = p.account_id
WHERE t.token_hash = :token_hash AND t.expires > :now AND p.enabled AND a.enabled;

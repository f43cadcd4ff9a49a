-- name: ping()!
-- Write something, to see that writing works.
INSERT INTO meta ("key", value) VALUES ('ping', '1')
ON CONFLICT ("key") DO UPDATE SET value = CAST(CAST(meta.value AS bigint) + 1 AS text);

-- name: key_check()$
-- The mark of the key that this database's secrets are encrypted under.
SELECT value FROM meta WHERE "key" = 'key_check';

-- name: set_key_check(value)!
-- Mark the key, once.
INSERT INTO meta ("key", value) VALUES ('key_check', :value) ON CONFLICT DO NOTHING;

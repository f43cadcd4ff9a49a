-- name: starts_counted(account_number, terms, low, high, most)$
-- How many times of start in [low, high) calls with one of the terms have; of each counted up to ``most``.
SELECT coalesce(sum(c.n), 0)::bigint
FROM unnest(:terms::text[]) AS t (term), LATERAL (
    SELECT count(*) AS n FROM (
        SELECT 1 FROM call_terms
        WHERE account_number = :account_number AND term = t.term
          AND started_at >= :low AND started_at < :high
        LIMIT :most) s) c;

-- name: keys_with(account_number, account_id, terms, low, upto, at, id, most)
-- The keys of at most so many calls that started when calls with one of the terms did, newest first,
-- after (at, id) and so before ``upto``; an empty id where none is left.
WITH starts AS MATERIALIZED (
    SELECT DISTINCT k.started_at
    FROM unnest(:terms::text[]) AS t (term), LATERAL (
        SELECT started_at FROM call_terms
        WHERE account_number = :account_number AND term = t.term
          AND started_at >= :low AND started_at < :upto
        ORDER BY started_at DESC LIMIT :most) k
    ORDER BY k.started_at DESC LIMIT :most
)
SELECT s.started_at, coalesce(k.id, '')
FROM (SELECT started_at FROM starts ORDER BY started_at DESC) s LEFT JOIN LATERAL (
    SELECT id FROM calls
    WHERE account_id = :account_id AND started_at = s.started_at
      AND (started_at, id) < (:at, :id)
    ORDER BY id DESC LIMIT :most) k ON true
ORDER BY s.started_at DESC, k.id DESC LIMIT :most;

-- name: rows_of(account_id, starts, ids, low, high, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- The calls with these keys, in any order, of those that are wanted.
SELECT {row of c}
FROM unnest(:starts::bigint[], :ids::text[]) AS k (started_at, id)
JOIN calls c ON c.account_id = :account_id AND c.started_at = k.started_at AND c.id = k.id
WHERE c.started_at >= :low AND c.started_at < :high
    AND {wanted of c};

-- name: starts_counted(account_number, term, low, high, most)$
-- How many times of start in [low, high) calls with a term have, counted up to ``most``.
SELECT count(*) FROM (
    SELECT 1 FROM call_terms
    WHERE account_number = :account_number AND term = :term
        AND started_at >= :low AND started_at < :high
    LIMIT :most);

-- name: starts_with(account_number, term, low, upto)
-- When calls with a term started, in [low, upto], newest first.
SELECT started_at FROM call_terms
WHERE account_number = :account_number AND term = :term
    AND started_at >= :low AND started_at <= :upto
ORDER BY started_at DESC;

-- name: calls_at(account_id, starts, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- The ids of the calls of each time of start (of a JSON array, in its order; null for none), and which
-- of them are wanted. (Unlike AND, CASE evaluates no more than it has to.)
SELECT k.value, c.id, CASE WHEN c.id IS NOT NULL
    AND {wanted of c}
    THEN 1 ELSE 0 END
FROM json_each(:starts) k
LEFT JOIN calls c ON c.account_id = :account_id AND c.started_at = k.value;

-- name: keys_at(account_id, low, at, id)
-- The keys of the calls that started from ``low`` on and follow (at, id), newest first.
SELECT started_at, id FROM calls
WHERE account_id = :account_id AND started_at >= :low AND (started_at, id) < (:at, :id)
ORDER BY started_at DESC, id DESC;

-- name: rows_of(account_id, keys, low, high, class_, direction, statuses, shortest, longest, billed_from, billed_to, recorded, held)
-- The calls with these keys (a JSON array of [started_at, id]), in any order, of those that are wanted.
SELECT {row of c}
FROM json_each(:keys) k
CROSS JOIN calls c ON c.account_id = :account_id
    AND c.started_at = json_extract(k.value, '$[0]') AND c.id = json_extract(k.value, '$[1]')
WHERE started_at >= :low AND started_at < :high
    AND {wanted of c};

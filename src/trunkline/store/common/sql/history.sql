-- name: ids_there(ids)
-- Which of these calls are there.
SELECT id FROM {call_ids} WHERE id = ANY(:ids::text[]);

-- name: open_calls(node_id)
-- Every live call of a node with its facts, in order.
SELECT l.call_id, l.account_id, j.fact
FROM live_calls l
LEFT JOIN journal j ON j.call_id = l.call_id
WHERE l.node_id = :node_id
ORDER BY l.opened_at, l.call_id, j.id;

-- name: facts(call_id)
-- One call's facts, in order.
SELECT fact FROM journal WHERE call_id = :call_id ORDER BY id;

-- name: known(call_id)$
-- Has the event log spoken of this call? What was only asked for is not known yet.
SELECT EXISTS (SELECT 1 FROM {call_ids} WHERE id = :call_id)
    OR EXISTS (SELECT 1 FROM journal WHERE call_id = :call_id
               AND kind NOT IN ('CallRequested', 'RequestWithdrawn'));

-- name: position(node_id)^
-- How far a node's log has been taken in.
SELECT file_id, "offset" FROM log_positions WHERE node_id = :node_id;

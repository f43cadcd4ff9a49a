-- name: open_calls(node_id)
-- Every live call of a node with its facts, in order.
SELECT l.call_id, l.account_id, j.fact
FROM live_calls l
LEFT JOIN journal j ON j.call_id = l.call_id
WHERE l.node_id = :node_id
ORDER BY l.opened_at, l.call_id, j.id;

-- name: inherit(node_id)!
-- Make live calls and a log position without a node this one's; where it has a position, that one holds.
WITH calls AS (
    UPDATE live_calls SET node_id = :node_id WHERE node_id = ''
), nobodys AS (
    DELETE FROM log_positions WHERE node_id = '' RETURNING file_id, "offset"
)
INSERT INTO log_positions (node_id, file_id, "offset")
SELECT :node_id, file_id, "offset" FROM nobodys
ON CONFLICT DO NOTHING;

-- name: nodes_away(node_id, lock)
-- The other nodes that have live calls, and whose lock (``lock`` and the node's id) no session has. The lock of a
-- bigint is known by its two halves (PostgreSQL's documentation, pg_locks).
SELECT DISTINCT l.node_id FROM live_calls l
WHERE l.node_id NOT IN ('', :node_id) AND NOT EXISTS (
    SELECT 1 FROM pg_locks k
    WHERE k.locktype = 'advisory' AND k.granted AND k.objsubid = 1
        AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (k.classid::bigint << 32) | k.objid::bigint = hashtextextended(:lock || l.node_id, 0));

-- name: facts(call_id)
-- One call's facts, in order.
SELECT fact FROM journal WHERE call_id = :call_id ORDER BY id;

-- name: known(call_id)$
-- Has the event log spoken of this call? What was only asked for is not known yet.
SELECT EXISTS (SELECT 1 FROM call_ids WHERE id = :call_id)
    OR EXISTS (SELECT 1 FROM journal WHERE call_id = :call_id
               AND kind NOT IN ('CallRequested', 'RequestWithdrawn'));

-- name: position(node_id)^
-- How far a node's log has been taken in.
SELECT file_id, "offset" FROM log_positions WHERE node_id = :node_id;

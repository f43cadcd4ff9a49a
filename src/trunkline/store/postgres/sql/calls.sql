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

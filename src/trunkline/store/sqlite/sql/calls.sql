-- name: add_facts(call_id, at, kind, fact)*!
-- Append facts to the journal, in order.
INSERT INTO journal (call_id, at, kind, fact) VALUES (:call_id, :at, :kind, :fact);

-- name: open_call(call_id, account_id, at, node_id)!
-- Note that a call is live, and which node's engine has it.
INSERT INTO live_calls (call_id, account_id, opened_at, node_id) VALUES (:call_id, :account_id, :at, :node_id)
ON CONFLICT DO NOTHING;

-- name: close_call(call_id)!
-- Note that a call is live no more.
DELETE FROM live_calls WHERE call_id = :call_id;

-- name: inherit_calls(node_id)!
-- Make every live call this node's.
UPDATE live_calls SET node_id = :node_id WHERE node_id <> :node_id;

-- name: inherit_position(node_id)!
-- Make a log position without a node this one's, unless it has one.
UPDATE OR IGNORE log_positions SET node_id = :node_id WHERE node_id = '';

-- name: forget_positions(node_id)!
-- Forget how far other logs have been taken in.
DELETE FROM log_positions WHERE node_id <> :node_id;

-- name: nodes_away(node_id)
-- The other nodes that have live calls.
SELECT DISTINCT node_id FROM live_calls WHERE node_id NOT IN ('', :node_id);

-- name: set_position(node_id, file_id, offset)!
-- Note how far a node's log has been taken in.
INSERT INTO log_positions (node_id, file_id, "offset") VALUES (:node_id, :file_id, :offset)
ON CONFLICT (node_id) DO UPDATE SET file_id = excluded.file_id, "offset" = excluded."offset";

-- name: expect(id, name, account_id, call_id, at, plan)!
-- A call was recorded: its file is to be made.
INSERT INTO recordings (id, name, account_id, call_id, state, created_at, plan)
VALUES (:id, :name, :account_id, :call_id, 'pending', :at, :plan)
ON CONFLICT DO NOTHING;

-- name: needs(raw, recording_id)*!
-- It is made of this raw file.
INSERT INTO recording_files (raw, recording_id) VALUES (:raw, :recording_id) ON CONFLICT DO NOTHING;

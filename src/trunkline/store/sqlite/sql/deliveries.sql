-- name: insert(webhook_id, seq, gap_from, lane, call_id, name, kind, now)!
-- A delivery, due at once if none of its lane is before it.
INSERT INTO webhook_deliveries
    (webhook_id, account_id, seq, gap_from, lane, call_id, name, kind, next_at, created_at)
SELECT w.id, w.account_id, :seq, :gap_from, :lane, :call_id, :name, :kind,
       CASE WHEN EXISTS (SELECT 1 FROM webhook_deliveries d
            WHERE d.webhook_id = w.id AND d.lane = :lane AND d.state = 'pending')
       THEN NULL ELSE :now END,
       :now
FROM webhooks w WHERE w.id = :webhook_id;

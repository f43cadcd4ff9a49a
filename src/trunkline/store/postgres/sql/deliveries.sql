-- name: insert(webhook_id, seqs, gap_froms, lanes, call_ids, names, kinds, now)!
-- Deliveries, in order; due at once is the first of each lane that has none pending.
INSERT INTO webhook_deliveries
    (webhook_id, account_id, seq, gap_from, lane, call_id, name, kind, next_at, created_at)
SELECT w.id, w.account_id, o.seq, o.gap_from, o.lane, o.call_id, o.name, o.kind,
       CASE WHEN row_number() OVER (PARTITION BY o.lane ORDER BY o.n) = 1
             AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d
                             WHERE d.webhook_id = w.id AND d.lane = o.lane AND d.state = 'pending')
       THEN :now::bigint END,
       :now::bigint
FROM webhooks w, unnest(:seqs::bigint[], :gap_froms::bigint[], :lanes::text[], :call_ids::text[],
                        :names::text[], :kinds::text[])
    WITH ORDINALITY AS o (seq, gap_from, lane, call_id, name, kind, n)
WHERE w.id = :webhook_id
ORDER BY o.n;

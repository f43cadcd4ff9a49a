-- name: afresh(webhook_id)!
-- What waits for the endpoint has its whole schedule again.
UPDATE webhook_deliveries SET step = 0, first_at = NULL
WHERE webhook_id = :webhook_id AND state = 'pending';

-- name: hasten(now, webhook_id, since)!
-- What has not been tried before a time may go out now.
UPDATE webhook_deliveries SET next_at = :now
WHERE webhook_id = :webhook_id AND next_at > :now AND (first_at IS NULL OR first_at >= :since);

-- name: add_test(webhook_id, lane, name, state, now, at, done_at, status, error)$
-- A test, with what came of it.
INSERT INTO webhook_deliveries
    (webhook_id, account_id, seq, lane, name, kind, state, attempts, first_at, created_at, done_at,
     last_status, last_error)
SELECT w.id, w.account_id, 0, :lane::text, :name::text, 'test', :state::text, 1, :at::bigint,
       :now::bigint, :done_at::bigint, :status::integer, :error::text
FROM webhooks w WHERE w.id = :webhook_id
RETURNING id;

-- name: first_lost(webhook_id, oldest)$
-- The lowest number that is pending and is not kept any more.
SELECT min(seq) FROM webhook_deliveries
WHERE webhook_id = :webhook_id AND state = 'pending' AND seq < :oldest AND kind <> 'gap';

-- name: give_up_lost(now, error, webhook_id, oldest)!
-- What is pending and not kept any more has failed.
UPDATE webhook_deliveries SET state = 'failed', next_at = NULL, done_at = :now, last_error = :error
WHERE webhook_id = :webhook_id AND state = 'pending' AND seq < :oldest AND kind <> 'gap';

-- name: open_lanes(now, webhook_id)!
-- The first pending delivery of each lane has its turn.
UPDATE webhook_deliveries SET next_at = :now
WHERE webhook_id = :webhook_id AND state = 'pending' AND next_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d
        WHERE d.webhook_id = webhook_deliveries.webhook_id AND d.lane = webhook_deliveries.lane
          AND d.state = 'pending' AND d.id < webhook_deliveries.id);

-- name: retry(now, delivery_id)!
-- Try a pending delivery now, with its whole schedule again; one that waits for its lane goes on so.
UPDATE webhook_deliveries SET step = 0, next_at = CASE WHEN next_at IS NULL THEN NULL ELSE :now::bigint END
WHERE id = :delivery_id AND state = 'pending';

-- name: beyond(webhook_id, most)$
-- 1 if the endpoint has more than so many pending deliveries.
SELECT 1 FROM webhook_deliveries
WHERE webhook_id = :webhook_id AND state = 'pending' LIMIT 1 OFFSET :most;

-- name: due(webhook_id, now, limit)
-- What may go out now, the longest due first.
SELECT {delivery}
FROM webhook_deliveries
WHERE webhook_id = :webhook_id AND next_at IS NOT NULL AND next_at <= :now
ORDER BY next_at, id LIMIT :limit;

-- name: next_at(webhook_id, after)$
-- When the next delivery is due.
SELECT min(next_at) FROM webhook_deliveries
WHERE webhook_id = :webhook_id AND next_at IS NOT NULL AND next_at > :after;

-- name: delivery(delivery_id)^
-- A delivery.
SELECT {delivery}
FROM webhook_deliveries WHERE id = :delivery_id;

-- name: conclude(state, step, at, next_at, done_at, status, error, delivery_id)!
-- A pending delivery after one more attempt.
UPDATE webhook_deliveries SET state = :state, step = :step, attempts = attempts + 1,
    first_at = coalesce(first_at, :at), next_at = :next_at, done_at = :done_at,
    last_status = :status, last_error = :error
WHERE id = :delivery_id AND state = 'pending';

-- name: give_turn(now, webhook_id, lane)!
-- The next pending delivery of a lane has its turn.
UPDATE webhook_deliveries SET next_at = :now
WHERE id = (SELECT min(d.id) FROM webhook_deliveries d
            WHERE d.webhook_id = :webhook_id AND d.lane = :lane AND d.state = 'pending');

-- name: add_attempt(delivery_id, number, at, resolve_ms, connect_ms, tls_ms, first_byte_ms, total_ms, address, status, error, answer)!
-- An attempt at a delivery.
INSERT INTO webhook_attempts (delivery_id, number, at, resolve_ms, connect_ms, tls_ms,
    first_byte_ms, total_ms, address, status, error, answer)
VALUES (:delivery_id, :number, :at, :resolve_ms, :connect_ms, :tls_ms,
    :first_byte_ms, :total_ms, :address, :status, :error, :answer);

-- name: attempts(delivery_id)
-- The attempts at a delivery, in order.
SELECT {attempt}
FROM webhook_attempts WHERE delivery_id = :delivery_id ORDER BY number;

-- name: taken_up_to(webhook_id)$
-- The number up to which the endpoint has had all that it was to get.
SELECT coalesce((SELECT min(d.seq) - 1 FROM webhook_deliveries d
                 WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.kind = 'event'), w.cursor)
FROM webhooks w WHERE w.id = :webhook_id;

-- name: deliveries(webhook_id, before, first, last, limit)
-- Deliveries to an endpoint, newest first.
SELECT {delivery}
FROM webhook_deliveries
WHERE webhook_id = :webhook_id AND id < :before AND seq BETWEEN :first AND :last
ORDER BY id DESC LIMIT :limit;

-- name: deliveries_in(webhook_id, state, before, first, last, limit)
-- Deliveries to an endpoint that are in a state, newest first.
SELECT {delivery}
FROM webhook_deliveries
WHERE webhook_id = :webhook_id AND state = :state AND id < :before
  AND seq BETWEEN :first AND :last
ORDER BY id DESC LIMIT :limit;

-- name: deliveries_of(webhook_id, call_id, state, before, first, last, limit)
-- Deliveries of a call's events to an endpoint, newest first.
SELECT {delivery}
FROM webhook_deliveries
WHERE call_id = :call_id AND webhook_id = :webhook_id AND (:state::text IS NULL OR state = :state::text)
  AND id < :before AND seq BETWEEN :first AND :last
ORDER BY id DESC LIMIT :limit;

-- name: pending(most)$
-- How many deliveries enabled endpoints have pending, counted up to ``most``.
SELECT count(*) FROM (
    SELECT 1 FROM webhooks w JOIN webhook_deliveries d ON d.webhook_id = w.id
    WHERE w.state = 'enabled' AND d.state = 'pending' LIMIT :most) p;

-- name: oldest_pending()$
-- When the oldest pending delivery of an enabled endpoint came to be.
SELECT min((SELECT d.created_at FROM webhook_deliveries d
            WHERE d.webhook_id = w.id AND d.state = 'pending' ORDER BY d.id LIMIT 1))
FROM webhooks w WHERE w.state = 'enabled';

-- name: of_call(account_id, call_id, most)
-- What webhooks were sent of a call, newest first.
SELECT {delivery}
FROM webhook_deliveries WHERE call_id = :call_id AND account_id = :account_id
ORDER BY id DESC LIMIT :most;

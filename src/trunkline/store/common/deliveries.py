"""What webhook endpoints are to get, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.delivery.verdict import Verdict
from trunkline.delivery.webhook import Attempt, Delivery, Outgoing, Webhook, outgoing_gap
from trunkline.events.stored import StoredEvent
from trunkline.store.common.dialect import Connection, Dialect, Reader, Row, Writer
from trunkline.store.common.webhooks import read_webhook
from trunkline.store.ports.webhooks import Announce, Backlog, Concluded, Decide, DeliveryFilter

_COUNTED = 100_000
"""Pending deliveries are counted so far."""
_NOT_KEPT = "the event is not kept any more; a GAP was sent instead"
"""The error of a delivery that was given up because its event is gone."""

DELIVERY = (
    *("id", "webhook_id", "account_id", "seq", "gap_from", "lane", "call_id", "name", "kind"),
    *("state", "attempts", "step", "first_at", "next_at", "created_at", "done_at"),
    *("last_status", "last_error"),
)
"""``{delivery}`` in SQL."""
ATTEMPT = (
    *("at", "resolve_ms", "connect_ms", "tls_ms", "first_byte_ms", "total_ms"),
    *("address", "status", "error", "answer"),
)
"""``{attempt}`` in SQL."""


class SqlDeliveries:
    """See ``ports.webhooks.Deliveries``, and ``SqlWebhooks`` for the locks."""

    def __init__(self, reader: Reader, writer: Writer, dialect: Dialect) -> None:
        self._reader = reader
        self._writer = writer
        self._dialect = dialect
        self._sql = dialect.named("deliveries")
        self._endpoints = dialect.named("webhooks")

    async def examined(
        self, webhook_id: str, cursor: int, upto: int, wanted: Sequence[Outgoing], now: int
    ) -> bool:
        async def examine(connection: Connection) -> bool:
            moved = await self._endpoints.move(
                connection, webhook_id=webhook_id, cursor=cursor, upto=upto
            )
            if moved:
                await self._dialect.queue_deliveries(connection, webhook_id, wanted, now)
            return bool(moved)

        return await self._writer.run(examine)

    async def queue(self, webhook_id: str, wanted: Sequence[Outgoing], now: int) -> int:
        async def add(connection: Connection) -> int:
            await self._endpoints.lock(connection, webhook_id=webhook_id)
            return await self._dialect.queue_deliveries(connection, webhook_id, wanted, now)

        return await self._writer.run(add)

    async def lost(self, webhook_id: str, oldest: int, now: int) -> bool:
        which = {"webhook_id": webhook_id, "oldest": oldest}

        async def give_up(connection: Connection) -> bool:
            await self._endpoints.lock(connection, webhook_id=webhook_id)
            first = await self._sql.first_lost(connection, **which)
            if first is None:
                return False
            await self._sql.give_up_lost(connection, now=now, error=_NOT_KEPT, **which)
            gap = [outgoing_gap(first, oldest - 1)]
            await self._dialect.queue_deliveries(connection, webhook_id, gap, now)
            await self._sql.open_lanes(connection, webhook_id=webhook_id, now=now)
            return True

        return await self._writer.run(give_up)

    async def retry(self, delivery_id: int, now: int) -> bool:
        async def retry(connection: Connection) -> bool:
            await self._endpoints.lock_of(connection, delivery_id=delivery_id)
            return bool(await self._sql.retry(connection, delivery_id=delivery_id, now=now))

        return await self._writer.run(retry)

    async def crowded(self, webhook_id: str, most: int) -> bool:
        return bool(await self._reader.one(self._sql.beyond, webhook_id=webhook_id, most=most))

    async def due(self, webhook_id: str, now: int, limit: int) -> list[Delivery]:
        rows = await self._reader.all(self._sql.due, webhook_id=webhook_id, now=now, limit=limit)
        return [read_delivery(row) for row in rows]

    async def next_at(self, webhook_id: str, after: int) -> int | None:
        at: int | None = await self._reader.one(
            self._sql.next_at, webhook_id=webhook_id, after=after
        )
        return at

    async def concluded(
        self, delivery_id: int, attempt: Attempt, decide: Decide, announce: Announce
    ) -> Concluded | None:
        async def conclude(connection: Connection) -> Concluded | None:
            webhook_id = await self._endpoints.lock_of(connection, delivery_id=delivery_id)
            row = await self._sql.delivery(connection, delivery_id=delivery_id)
            if row is None or (delivery := read_delivery(row)).state != "pending":
                return None
            webhook = read_webhook(await self._endpoints.get(connection, webhook_id=webhook_id))
            verdict = decide(webhook, delivery)
            await self._write(connection, delivery, attempt, verdict)
            await self._tell_endpoint(connection, webhook, attempt, verdict)
            stopped = await self._stop(connection, webhook, attempt, verdict, announce)
            return Concluded(verdict, stopped)

        return await self._writer.run(conclude)

    async def _write(
        self, connection: Connection, delivery: Delivery, attempt: Attempt, verdict: Verdict
    ) -> None:
        await self._sql.conclude(
            connection,
            delivery_id=delivery.id,
            state=verdict.state,
            step=verdict.step,
            at=attempt.at,
            next_at=verdict.next_at,
            done_at=None if verdict.state == "pending" else attempt.ended_at,
            status=attempt.status,
            error=self._dialect.storable(attempt.error),
        )
        await self._add_attempt(connection, delivery.id, delivery.attempts + 1, attempt)
        if verdict.state != "pending":
            await self._sql.give_turn(
                connection,
                webhook_id=delivery.webhook_id,
                lane=delivery.lane,
                now=attempt.ended_at,
            )

    async def _tell_endpoint(
        self, connection: Connection, webhook: Webhook, attempt: Attempt, verdict: Verdict
    ) -> None:
        """Whether it answers. Once it does again, all that was tried in vain meanwhile is due."""
        sql = self._endpoints
        if verdict.state != "delivered":
            await sql.refused(
                connection,
                webhook_id=webhook.id,
                at=attempt.at,
                not_before=verdict.not_before,
            )
        elif (
            await sql.answered(connection, webhook_id=webhook.id)
            and webhook.failing_since is not None
        ):
            await self._sql.hasten(
                connection,
                webhook_id=webhook.id,
                now=attempt.ended_at,
                since=webhook.failing_since,
            )

    async def _stop(
        self,
        connection: Connection,
        webhook: Webhook,
        attempt: Attempt,
        verdict: Verdict,
        announce: Announce,
    ) -> StoredEvent | None:
        if verdict.stop is None or not await self._endpoints.stop(
            connection,
            webhook_id=webhook.id,
            state=verdict.stop,
            reason=verdict.reason,
            now=attempt.ended_at,
        ):
            return None
        taken = await self._sql.taken_up_to(connection, webhook_id=webhook.id)
        stored = await self._dialect.store_events(connection, [announce(webhook, verdict, taken)])
        return next(iter(stored), None)

    async def tested(
        self, webhook_id: str, sent: Outgoing, attempt: Attempt, now: int
    ) -> Delivery | None:
        async def add(connection: Connection) -> Delivery | None:
            delivery_id = await self._sql.add_test(
                connection,
                webhook_id=webhook_id,
                lane=sent.lane,
                name=sent.name,
                state="delivered" if attempt.success else "failed",
                now=now,
                at=attempt.at,
                done_at=attempt.ended_at,
                status=attempt.status,
                error=self._dialect.storable(attempt.error),
            )
            if delivery_id is None:
                return None
            await self._add_attempt(connection, delivery_id, 1, attempt)
            return read_delivery(await self._sql.delivery(connection, delivery_id=delivery_id))

        return await self._writer.run(add)

    async def delivery(self, webhook_id: str, delivery_id: int) -> Delivery | None:
        row = await self._reader.one(self._sql.delivery, delivery_id=delivery_id)
        return None if row is None or row[1] != webhook_id else read_delivery(row)

    async def deliveries(
        self, webhook_id: str, wanted: DeliveryFilter, before: int, limit: int
    ) -> list[Delivery]:
        name, where = _listing(webhook_id, wanted, before, limit)
        query = getattr(self._sql, name)
        return [read_delivery(row) for row in await self._reader.many(query, **where)]

    async def attempts(self, delivery_id: int) -> list[Attempt]:
        rows = await self._reader.all(self._sql.attempts, delivery_id=delivery_id)
        return [Attempt(**dict(zip(ATTEMPT, row, strict=True))) for row in rows]

    async def backlog(self) -> Backlog:
        return Backlog(
            await self._reader.one(self._sql.pending, most=_COUNTED) or 0,
            await self._reader.one(self._sql.oldest_pending),
            await self._reader.one(self._endpoints.stopped) or 0,
        )

    async def _add_attempt(
        self, connection: Connection, delivery_id: int, number: int, attempt: Attempt
    ) -> None:
        columns = {name: getattr(attempt, name) for name in ATTEMPT}
        columns["error"] = self._dialect.storable(attempt.error)
        await self._sql.add_attempt(connection, delivery_id=delivery_id, number=number, **columns)


def read_delivery(row: Row) -> Delivery:
    """The delivery of a row of ``deliveries.sql``."""
    return Delivery(**dict(zip(DELIVERY, row, strict=True)))


def _listing(
    webhook_id: str, wanted: DeliveryFilter, before: int, limit: int
) -> tuple[str, dict[str, Any]]:
    """(name, parameters) of the query that has an index for what is wanted."""
    where: dict[str, Any] = {
        "webhook_id": webhook_id,
        "before": before,
        "limit": limit,
        "first": wanted.seq_from,
        "last": wanted.seq_to,
    }
    if wanted.call_id is not None:
        return "deliveries_of", {**where, "call_id": wanted.call_id, "state": wanted.state}
    if wanted.state is not None:
        return "deliveries_in", {**where, "state": wanted.state}
    return "deliveries", where

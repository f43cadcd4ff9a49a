"""What webhook endpoints are to get, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.delivery.verdict import Verdict
from trunkline.delivery.webhook import Attempt, Delivery, Outgoing, Webhook, outgoing_gap
from trunkline.events.stored import StoredEvent
from trunkline.store.common.webhook_rows import (
    COUNTED,
    NOT_KEPT,
    attempt_columns,
    concluded_columns,
    listing,
    read_attempt,
    read_delivery,
    read_webhook,
    tested_columns,
)
from trunkline.store.ports.webhooks import Announce, Backlog, Concluded, Decide, DeliveryFilter
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import store_events
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.text import storable
from trunkline.store.postgres.writer import Writer


class PostgresDeliveries:
    """The deliveries (see ``db.webhook_port.Deliveries``); see ``PostgresWebhooks`` for the locks."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self._sql = named("deliveries")
        self._endpoints = named("webhooks")

    async def examined(
        self, webhook_id: str, cursor: int, upto: int, wanted: Sequence[Outgoing], now: int
    ) -> bool:
        """Store deliveries and move the cursor from ``cursor`` to ``upto``, in one transaction.

        False, and nothing done, where the cursor stands elsewhere or the endpoint is not enabled.
        """

        async def examine(connection: Connection) -> bool:
            moved = await self._endpoints.move(
                connection, webhook_id=webhook_id, cursor=cursor, upto=upto
            )
            if moved:
                await self._insert(connection, webhook_id, wanted, now)
            return bool(moved)

        return await self._writer.run(examine)

    async def queue(self, webhook_id: str, wanted: Sequence[Outgoing], now: int) -> int:
        """Store deliveries; gives how many (none for no endpoint)."""

        async def add(connection: Connection) -> int:
            await self._endpoints.lock(connection, webhook_id=webhook_id)
            return await self._insert(connection, webhook_id, wanted, now)

        return await self._writer.run(add)

    async def lost(self, webhook_id: str, oldest: int, now: int) -> bool:
        """Give up what is pending of events before number ``oldest``; one GAP goes out instead."""
        which = {"webhook_id": webhook_id, "oldest": oldest}

        async def give_up(connection: Connection) -> bool:
            await self._endpoints.lock(connection, webhook_id=webhook_id)
            first = await self._sql.first_lost(connection, **which)
            if first is None:
                return False
            await self._sql.give_up_lost(connection, now=now, error=NOT_KEPT, **which)
            await self._insert(connection, webhook_id, [outgoing_gap(first, oldest - 1)], now)
            await self._sql.open_lanes(connection, webhook_id=webhook_id, now=now)
            return True

        return await self._writer.run(give_up)

    async def retry(self, delivery_id: int, now: int) -> bool:
        """Try a pending delivery again as soon as it is its turn; False if it is not pending."""

        async def retry(connection: Connection) -> bool:
            await self._endpoints.lock_of(connection, delivery_id=delivery_id)
            return bool(await self._sql.retry(connection, delivery_id=delivery_id, now=now))

        return await self._writer.run(retry)

    async def crowded(self, webhook_id: str, most: int) -> bool:
        """Has the endpoint more than ``most`` pending deliveries?"""
        return bool(await self._reader.one(self._sql.beyond, webhook_id=webhook_id, most=most))

    async def due(self, webhook_id: str, now: int, limit: int) -> list[Delivery]:
        """Deliveries that may go out now, the longest due first."""
        rows = await self._reader.all(self._sql.due, webhook_id=webhook_id, now=now, limit=limit)
        return [read_delivery(row) for row in rows]

    async def next_at(self, webhook_id: str, after: int) -> int | None:
        """When the next delivery is due that is not due at ``after``."""
        at: int | None = await self._reader.one(
            self._sql.next_at, webhook_id=webhook_id, after=after
        )
        return at

    async def concluded(
        self, delivery_id: int, attempt: Attempt, decide: Decide, announce: Announce
    ) -> Concluded | None:
        """Store an attempt with all that follows from it, in one transaction."""

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
            **{**concluded_columns(delivery, attempt, verdict), "error": storable(attempt.error)},
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
        stored = await store_events(connection, [announce(webhook, verdict, taken)])
        return next(iter(stored), None)

    async def tested(
        self, webhook_id: str, sent: Outgoing, attempt: Attempt, now: int
    ) -> Delivery | None:
        """Store a test made at ``now`` with its one attempt; nothing else follows. None for no endpoint."""

        async def add(connection: Connection) -> Delivery | None:
            delivery_id = await self._sql.add_test(
                connection,
                **{
                    **tested_columns(webhook_id, sent, attempt, now),
                    "error": storable(attempt.error),
                },
            )
            if delivery_id is None:
                return None
            await self._add_attempt(connection, delivery_id, 1, attempt)
            return read_delivery(await self._sql.delivery(connection, delivery_id=delivery_id))

        return await self._writer.run(add)

    async def delivery(self, webhook_id: str, delivery_id: int) -> Delivery | None:
        """A delivery of the endpoint."""
        row = await self._reader.one(self._sql.delivery, delivery_id=delivery_id)
        return None if row is None or row[1] != webhook_id else read_delivery(row)

    async def deliveries(
        self, webhook_id: str, wanted: DeliveryFilter, before: int, limit: int
    ) -> list[Delivery]:
        """At most ``limit`` deliveries with ids under ``before``, newest first."""
        name, where = listing(webhook_id, wanted, before, limit)
        query = getattr(self._sql, name)
        return [read_delivery(row) for row in await self._reader.all(query, **where)]

    async def attempts(self, delivery_id: int) -> list[Attempt]:
        """The attempts at a delivery, in order."""
        rows = await self._reader.all(self._sql.attempts, delivery_id=delivery_id)
        return [read_attempt(row) for row in rows]

    async def backlog(self) -> Backlog:
        """How much is still to be delivered."""
        return Backlog(
            await self._reader.one(self._sql.pending, most=COUNTED) or 0,
            await self._reader.one(self._sql.oldest_pending),
            await self._reader.one(self._endpoints.stopped) or 0,
        )

    async def _insert(
        self, connection: Connection, webhook_id: str, wanted: Sequence[Outgoing], now: int
    ) -> int:
        if not wanted:
            return 0
        inserted: int = await self._sql.insert(
            connection,
            webhook_id=webhook_id,
            now=now,
            seqs=[each.seq for each in wanted],
            gap_froms=[each.gap_from for each in wanted],
            lanes=[storable(each.lane) for each in wanted],
            call_ids=[storable(each.call_id) for each in wanted],
            names=[each.name for each in wanted],
            kinds=[each.kind for each in wanted],
        )
        return inserted

    async def _add_attempt(
        self, connection: Connection, delivery_id: int, number: int, attempt: Attempt
    ) -> None:
        await self._sql.add_attempt(
            connection,
            delivery_id=delivery_id,
            number=number,
            **{**attempt_columns(attempt), "error": storable(attempt.error)},
        )

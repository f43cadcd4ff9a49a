"""What webhook endpoints are to get, and what came of it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

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
from trunkline.store.sqlite.events import store_events
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.writer import Writer


class SqliteDeliveries:
    """The deliveries (see ``db.webhook_port.Deliveries``)."""

    def __init__(self, reader: Reader, writer: Writer, pages: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._writer = writer
        self._pages = pages
        self._sql = named("deliveries")

    async def examined(
        self, webhook_id: str, cursor: int, upto: int, wanted: Sequence[Outgoing], now: int
    ) -> bool:
        """Store deliveries and move the cursor from ``cursor`` to ``upto``, in one transaction.

        False, and nothing done, where the cursor stands elsewhere or the endpoint is not enabled.
        """
        move = named("webhooks").move

        def examine(connection: sqlite3.Connection) -> bool:
            moved = move(connection, webhook_id=webhook_id, cursor=cursor, upto=upto)
            if moved:
                self._insert(connection, webhook_id, wanted, now)
            return bool(moved)

        return await self._writer.run(examine)

    async def queue(self, webhook_id: str, wanted: Sequence[Outgoing], now: int) -> int:
        """Store deliveries; gives how many (none for no endpoint)."""
        return await self._writer.run(
            lambda connection: self._insert(connection, webhook_id, wanted, now)
        )

    async def lost(self, webhook_id: str, oldest: int, now: int) -> bool:
        """Give up what is pending of events before number ``oldest``; one GAP goes out instead."""
        which = {"webhook_id": webhook_id, "oldest": oldest}

        def give_up(connection: sqlite3.Connection) -> bool:
            first = self._sql.first_lost(connection, **which)
            if first is None:
                return False
            self._sql.give_up_lost(connection, now=now, error=NOT_KEPT, **which)
            self._insert(connection, webhook_id, [outgoing_gap(first, oldest - 1)], now)
            self._sql.open_lanes(connection, webhook_id=webhook_id, now=now)
            return True

        return await self._writer.run(give_up)

    async def retry(self, delivery_id: int, now: int) -> bool:
        """Try a pending delivery again as soon as it is its turn; False if it is not pending."""
        return bool(
            await self._writer.run(
                lambda connection: self._sql.retry(connection, delivery_id=delivery_id, now=now)
            )
        )

    async def crowded(self, webhook_id: str, most: int) -> bool:
        """Has the endpoint more than ``most`` pending deliveries?"""
        return bool(self._reader.one(self._sql.beyond, webhook_id=webhook_id, most=most))

    async def due(self, webhook_id: str, now: int, limit: int) -> list[Delivery]:
        """Deliveries that may go out now, the longest due first."""
        rows = self._reader.all(self._sql.due, webhook_id=webhook_id, now=now, limit=limit)
        return [read_delivery(row) for row in rows]

    async def next_at(self, webhook_id: str, after: int) -> int | None:
        """When the next delivery is due that is not due at ``after``."""
        at: int | None = self._reader.one(self._sql.next_at, webhook_id=webhook_id, after=after)
        return at

    async def concluded(
        self, delivery_id: int, attempt: Attempt, decide: Decide, announce: Announce
    ) -> Concluded | None:
        """Store an attempt with all that follows from it, in one transaction."""

        def conclude(connection: sqlite3.Connection) -> Concluded | None:
            row = self._sql.delivery(connection, delivery_id=delivery_id)
            if row is None or (delivery := read_delivery(row)).state != "pending":
                return None
            webhook = read_webhook(named("webhooks").get(connection, webhook_id=row[1]))
            verdict = decide(webhook, delivery)
            self._write(connection, delivery, attempt, verdict)
            self._tell_endpoint(connection, webhook, attempt, verdict)
            return Concluded(verdict, self._stop(connection, webhook, attempt, verdict, announce))

        return await self._writer.run(conclude)

    def _write(
        self,
        connection: sqlite3.Connection,
        delivery: Delivery,
        attempt: Attempt,
        verdict: Verdict,
    ) -> None:
        self._sql.conclude(connection, **concluded_columns(delivery, attempt, verdict))
        self._add_attempt(connection, delivery.id, delivery.attempts + 1, attempt)
        if verdict.state != "pending":
            self._sql.give_turn(
                connection,
                webhook_id=delivery.webhook_id,
                lane=delivery.lane,
                now=attempt.ended_at,
            )

    def _tell_endpoint(
        self, connection: sqlite3.Connection, webhook: Webhook, attempt: Attempt, verdict: Verdict
    ) -> None:
        """Whether it answers. Once it does again, all that was tried in vain meanwhile is due."""
        sql = named("webhooks")
        if verdict.state != "delivered":
            sql.refused(
                connection,
                webhook_id=webhook.id,
                at=attempt.at,
                not_before=verdict.not_before,
            )
        elif sql.answered(connection, webhook_id=webhook.id) and webhook.failing_since is not None:
            self._sql.hasten(
                connection,
                webhook_id=webhook.id,
                now=attempt.ended_at,
                since=webhook.failing_since,
            )

    def _stop(
        self,
        connection: sqlite3.Connection,
        webhook: Webhook,
        attempt: Attempt,
        verdict: Verdict,
        announce: Announce,
    ) -> StoredEvent | None:
        if verdict.stop is None or not named("webhooks").stop(
            connection,
            webhook_id=webhook.id,
            state=verdict.stop,
            reason=verdict.reason,
            now=attempt.ended_at,
        ):
            return None
        taken = self._sql.taken_up_to(connection, webhook_id=webhook.id)
        return next(iter(store_events(connection, [announce(webhook, verdict, taken)])), None)

    async def tested(
        self, webhook_id: str, sent: Outgoing, attempt: Attempt, now: int
    ) -> Delivery | None:
        """Store a test made at ``now`` with its one attempt; nothing else follows. None for no endpoint."""

        def add(connection: sqlite3.Connection) -> Delivery | None:
            if named("webhooks").get(connection, webhook_id=webhook_id) is None:
                return None
            delivery_id = self._sql.add_test(
                connection, **tested_columns(webhook_id, sent, attempt, now)
            )
            self._add_attempt(connection, delivery_id, 1, attempt)
            return read_delivery(self._sql.delivery(connection, delivery_id=delivery_id))

        return await self._writer.run(add)

    async def delivery(self, webhook_id: str, delivery_id: int) -> Delivery | None:
        """A delivery of the endpoint."""
        row = self._reader.one(self._sql.delivery, delivery_id=delivery_id)
        return None if row is None or row[1] != webhook_id else read_delivery(row)

    async def deliveries(
        self, webhook_id: str, wanted: DeliveryFilter, before: int, limit: int
    ) -> list[Delivery]:
        """At most ``limit`` deliveries with ids under ``before``, newest first."""
        name, where = listing(webhook_id, wanted, before, limit)
        query = getattr(self._sql, name)
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._pages, lambda: self._reader.all(query, **where))
        return [read_delivery(row) for row in rows]

    async def attempts(self, delivery_id: int) -> list[Attempt]:
        """The attempts at a delivery, in order."""
        rows = self._reader.all(self._sql.attempts, delivery_id=delivery_id)
        return [read_attempt(row) for row in rows]

    async def backlog(self) -> Backlog:
        """How much is still to be delivered."""
        return Backlog(
            self._reader.one(self._sql.pending, most=COUNTED),
            self._reader.one(self._sql.oldest_pending),
            self._reader.one(named("webhooks").stopped),
        )

    def _insert(
        self,
        connection: sqlite3.Connection,
        webhook_id: str,
        wanted: Sequence[Outgoing],
        now: int,
    ) -> int:
        return sum(
            self._sql.insert(
                connection, webhook_id=webhook_id, now=now, **msgspec.structs.asdict(each)
            )
            for each in wanted
        )

    def _add_attempt(
        self, connection: sqlite3.Connection, delivery_id: int, number: int, attempt: Attempt
    ) -> None:
        self._sql.add_attempt(
            connection,
            delivery_id=delivery_id,
            number=number,
            **attempt_columns(attempt),
        )

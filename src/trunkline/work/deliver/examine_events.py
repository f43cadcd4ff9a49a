"""Examine events for webhooks: read each account's log from every endpoint's cursor on.

Deliveries are stored in the transaction that moves the cursor, so an event is examined exactly once,
wherever the process dies. Memory only holds which accounts to look at. The log is the queue: an
endpoint that has many deliveries pending gets no more of them until it has room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import structlog

from trunkline.delivery.webhook import Outgoing, Webhook, outgoing, outgoing_gap
from trunkline.events.bindings import Binding, BindingInvalid, BindingSet, parse
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import Database

log = structlog.get_logger()

CHUNK = 500
"""So many events are examined in a transaction."""
_AT_ONCE = 64
_PAUSE = 1.0


class ExamineEvents:
    """The verb: ``await examine.run()`` until it is cancelled.

    ``queued(account_id, webhook_id)`` is called when there is something to send. ``most_pending`` bounds
    the pending deliveries of an endpoint.
    """

    def __init__(
        self,
        db: Database,
        clock: Callable[[], int],
        queued: Callable[[str, str], None],
        most_pending: int = 10_000,
    ) -> None:
        self._db = db
        self._clock = clock
        self._queued = queued
        self._most_pending = most_pending
        self._dirty: dict[str, None] = {}
        self._awake = asyncio.Event()
        self._crowded: set[str] = set()
        self._refreshing = asyncio.Lock()
        self.accounts: set[str] = set()
        """The accounts that have enabled endpoints."""

    async def refresh(self) -> None:
        """Endpoints or accounts have changed: look at them all."""
        async with self._refreshing:  # an earlier reading must not replace a later one
            self.accounts = await self._db.webhooks.active_accounts()
        self._look_at(self.accounts)

    def wants(self, account_id: str) -> bool:
        return account_id in self.accounts

    def heard(self, events: Sequence[StoredEvent]) -> None:
        self._look_at(self.accounts.intersection(event.account_id for event in events))

    def sent(self, account_id: str, webhook_id: str) -> None:
        """The endpoint has a delivery less: look again whether it has room."""
        if webhook_id in self._crowded:
            self._look_at([account_id])

    async def run(self) -> None:
        while True:
            await self._awake.wait()
            accounts = list(self._dirty)[:_AT_ONCE]
            for account_id in accounts:
                del self._dirty[account_id]
            if not self._dirty:
                self._awake.clear()
            await asyncio.gather(*(self._account(account_id) for account_id in accounts))

    def _look_at(self, accounts: Iterable[str]) -> None:
        self._dirty.update(dict.fromkeys(accounts))
        if self._dirty:
            self._awake.set()

    async def _account(self, account_id: str) -> None:
        try:
            webhooks = await self._db.webhooks.active(account_id)
            more = await asyncio.gather(*(self._examine_chunk(webhook) for webhook in webhooks))
        except Exception as error:  # most likely the database, which may come back
            log.warning("webhook.events_not_examined", account_id=account_id, error=repr(error))
            asyncio.get_running_loop().call_later(_PAUSE, self._look_at, [account_id])
        else:
            self._look_at([account_id] if any(more) else [])

    async def _examine_chunk(self, webhook: Webhook) -> bool:
        """Move the endpoint's cursor forward by one transaction; True if there is more."""
        oldest, newest = await self._db.events.bounds(webhook.account_id)
        if webhook.cursor >= newest or await self._is_crowded(webhook.id):
            return False
        if webhook.cursor + 1 < oldest:
            return await self._pass_over(webhook, oldest - 1)
        events = await self._db.events.after(webhook.account_id, webhook.cursor, CHUNK)
        if not events:
            return True  # they were pruned between the two reads
        if webhook.cursor + 1 < events[0].seq:  # or some of them were
            return await self._pass_over(webhook, events[0].seq - 1)
        await self._move(webhook, events[-1].seq, _wanted(webhook, events))
        return events[-1].seq < newest

    async def _pass_over(self, webhook: Webhook, upto: int) -> bool:
        await self._move(webhook, upto, [outgoing_gap(webhook.cursor + 1, upto)])
        return True

    async def _move(self, webhook: Webhook, upto: int, wanted: Sequence[Outgoing]) -> None:
        done = await self._db.deliveries.examined(
            webhook.id, webhook.cursor, upto, wanted, self._clock()
        )
        if done and wanted:
            self._queued(webhook.account_id, webhook.id)

    async def _is_crowded(self, webhook_id: str) -> bool:
        self._crowded.add(webhook_id)  # added before the reading: `sent` may come meanwhile
        crowded = await self._db.deliveries.crowded(webhook_id, self._most_pending)
        if not crowded:
            self._crowded.discard(webhook_id)
        return crowded


def _wanted(webhook: Webhook, events: Sequence[StoredEvent]) -> list[Outgoing]:
    return [outgoing(event) for event in events if wants(webhook.events, event)]


def wants(bindings: tuple[str, ...], event: StoredEvent) -> bool:
    """Does an endpoint with these bindings get the event? One without bindings gets all."""
    key = (event.category, event.name, event.subject)
    return not bindings or _together(bindings).matches(key)


@lru_cache(1024)
def _together(bindings: tuple[str, ...]) -> BindingSet:
    return BindingSet(binding for binding in map(_parsed, bindings) if binding is not None)


def _parsed(text: str) -> Binding | None:
    """None for a binding that another version accepted, and this one does not know."""
    try:
        return parse(text)
    except BindingInvalid:
        return None

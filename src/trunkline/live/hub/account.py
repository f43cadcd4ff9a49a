"""One account's events, handed out to all that subscribe to them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import stamina
import structlog

from trunkline.events.stored import StoredEvent
from trunkline.live.hub.groups import Groups, SubscriberGroup
from trunkline.live.hub.subscription import Subscription
from trunkline.live.hub.wire import Encoding, Wire
from trunkline.store.ports.database import Events

log = structlog.get_logger()

_CHUNK = 500


class AccountEvents:
    """The subscriptions to one account's events; ``head`` is the newest number handed out.

    It takes the bus's events from the moment it is made, and keeps them until it has been opened.
    ``users`` counts those who are about to subscribe.
    """

    def __init__(self, account_id: str, events: Events) -> None:
        self.id = account_id
        self.events = events
        self.head = 0
        self.users = 0
        self.groups: Groups[Subscription] = Groups()
        self._is_open = False
        self._early: deque[StoredEvent] = deque()
        self._filling: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin after the newest event that there is; raises what the log raises."""
        if self._is_open:
            return
        _, newest = await self.events.bounds(self.id)
        if not self._is_open:
            self._is_open, self.head = True, newest
            early, self._early = self._early, deque()
            for event in early:
                self.take(event)

    async def start(self, after: int) -> int:
        """``after``, or the newest number where that is less."""
        if after <= self.head:
            return after
        _, newest = await self.events.bounds(self.id)
        return min(after, max(self.head, newest))

    def take(self, event: StoredEvent) -> None:
        """Hand out the bus's next event: a number seen before is dropped, a hole is filled."""
        if self._is_open and self._filling is None and event.seq <= self.head + 1:
            self._hand_out(event)
            return
        self._early.append(event)
        if self._is_open and self._filling is None:
            self._filling = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        """Read what is missing before each event that came too early."""
        try:
            while self._early:
                async for attempt in stamina.retry_context(
                    on=Exception, attempts=None, timeout=None, wait_max=5.0
                ):
                    with attempt:
                        await self._fill_up_to(self._early[0].seq)
                self._hand_out(self._early.popleft())
        finally:
            self._filling = None

    async def _fill_up_to(self, seq: int) -> None:
        while self.head + 1 < seq and self.groups:
            missed = await self.events.after(self.id, self.head, min(_CHUNK, seq - self.head - 1))
            for event in missed:
                self._hand_out(event)
            if not missed:
                return

    def _hand_out(self, event: StoredEvent) -> None:
        if event.seq <= self.head:
            return
        self.head = event.seq
        wire = Wire(event)
        groups = self.groups.matching(wire.key)
        # Who gets it is settled before anybody does: a write may change a connection's state.
        fast = [
            (group, wire, form, writes)
            for group in groups
            for form, writes in group.ready().items()
        ]
        slow = [subscription for group in groups for subscription in group.slow]
        for each in fast:
            _write_all(*each)
        for subscription in slow:
            subscription.feed.take(subscription, wire)
        for feed in {subscription.feed: None for subscription in slow}:
            feed.taken()


def _write_all(
    group: SubscriberGroup[Subscription],
    wire: Wire,
    form: Encoding,
    writes: Sequence[Callable[[Any], None]],
) -> None:
    frame = wire.frame(form, group.binding)
    for write in writes:
        try:
            write(frame)
        except Exception:
            log.exception("live.write_failed", account_id=wire.event.account_id)
            for subscription in group.whose(write):
                subscription.feed.write_failed()

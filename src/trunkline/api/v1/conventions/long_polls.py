"""Requests that wait for an event: woken by the bus, and only where it is one of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from trunkline.api.v1.conventions.problems import problem
from trunkline.bus.port import Bus
from trunkline.events.stored import StoredEvent

MOST = 100
"""Requests of one account that may wait at a time."""

Wants = Callable[[StoredEvent], bool]


class Poll:
    __slots__ = ("_woken", "closed", "wants")

    def __init__(self, wants: Wants) -> None:
        self.wants = wants
        self.closed = False
        self._woken = asyncio.Event()

    def tell(self, events: Sequence[StoredEvent]) -> None:
        """Wake up if one of them is wanted."""
        if not self._woken.is_set() and any(map(self.wants, events)):
            self._woken.set()

    def close(self) -> None:
        """Wake up for good: the server stops."""
        self.closed = True
        self._woken.set()

    async def wait(self, seconds: float, gone: Callable[[], Awaitable[None]]) -> bool:
        """Until an event is there (True), the time is over, or the client is gone.

        An event that came since the last wait counts: read before each wait, and none is missed.
        """
        tasks = {asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(gone())}
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        woken = self._woken.is_set() and not self.closed
        self._woken.clear()
        return woken


class LongPolls:
    """All requests that wait, by account. Use it from the event loop's thread only."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: dict[str, set[Poll]] = {}
        self._stop: Callable[[], None] | None = None
        self._closed = False

    @contextmanager
    def waiting(self, account_id: str, wants: Wants) -> Iterator[Poll]:
        """Hear of the account's events from now on; raises Problem too_many_waiting."""
        polls = self._waiting.setdefault(account_id, set())
        if len(polls) >= MOST:
            raise problem("too_many_waiting")
        if self._stop is None:
            self._stop = self._bus.listen(self._deliver, self._waiting.__contains__)
        poll = Poll(wants)
        poll.closed = self._closed
        polls.add(poll)
        try:
            yield poll
        finally:
            polls.discard(poll)
            if not polls:
                self._waiting.pop(account_id, None)

    def close(self) -> None:
        """Let all of them answer with what they have; who comes later does not wait."""
        self._closed = True
        for polls in self._waiting.values():
            for poll in polls:
                poll.close()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _deliver(self, events: Sequence[StoredEvent]) -> None:
        by_account: dict[str, list[StoredEvent]] = {}
        for event in events:
            if event.account_id in self._waiting:
                by_account.setdefault(event.account_id, []).append(event)
        for account_id, its_own in by_account.items():
            for poll in self._waiting[account_id]:
                poll.tell(its_own)

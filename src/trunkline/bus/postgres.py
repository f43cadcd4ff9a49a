"""A bus between processes: PostgreSQL tells of committed events, and they are read from the log.

Each transaction that numbers events notifies ``<account id>:<first number>:<last number>`` on one
channel (``store/postgres/events.py``), so a listener hears what any process writes. What this process
writes goes to its listeners at once if it is next in its account's order, without being read.

``handed out`` is kept for each account: the number up to which listeners have had everything. An
event goes to them only when it is the next one, so none is missed, doubled or out of order; after a
lost connection all that came meanwhile is read from there on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import stamina
import structlog

from trunkline.bus.local import LocalBus
from trunkline.bus.port import Listener, Wants
from trunkline.events.stored import StoredEvent

CHUNK = 500
"""So many events are read at a time."""
_READERS = 8
_CHECK_EVERY = 15.0
_TIMEOUT = 5.0

Newest = Callable[[], Awaitable[Mapping[str, int]]]
"""account id -> its newest number, of every account."""
After = Callable[[str, int, int], Awaitable[Sequence[StoredEvent]]]
"""(account id, number, at most) -> the events that follow, in order."""

log = structlog.get_logger()


class PostgresBus:
    """``Bus`` for several processes on one database; use it from the event loop's thread only.

    Run ``await bus.run()`` for as long as it is to work, and await ``ready`` before anything is
    written. Listeners are called as in ``LocalBus``. Accounts that no listener wants are not read.
    """

    def __init__(self, url: str, channel: str, newest: Newest, after: After) -> None:
        self._url = url
        self._channel = channel
        self._newest = newest
        self._after = after
        self._listeners = LocalBus()
        self._handed_out: dict[str, int] = {}
        self._newest_heard: dict[str, int] = {}
        self._behind: dict[str, None] = {}
        self._reading: set[str] = set()
        self._awake = asyncio.Event()
        self.ready = asyncio.Event()
        self.hears = False
        """Do new events come now? Those that are missed meanwhile come later."""

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Hand on what this process has committed; if other events come before it, read up to it."""
        by_account: dict[str, list[StoredEvent]] = {}
        for event in events:
            by_account.setdefault(event.account_id, []).append(event)
        for account_id, own in by_account.items():
            if not self.ready.is_set():
                self._handed_out.setdefault(account_id, own[0].seq - 1)
            handed_out = self._handed_out.get(account_id, 0)
            if own[0].seq <= handed_out + 1:
                self._hand_out(account_id, own)
            else:
                self._hear(account_id, own[-1].seq)

    def listen(self, listener: Listener, wants: Wants | None = None) -> Callable[[], None]:
        return self._listeners.listen(listener, wants)

    async def run(self) -> None:
        """Listen until cancelled, over a new connection whenever one is lost."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_READERS):
                tasks.create_task(self._read())
            async for attempt in _insisting():
                with attempt:
                    await self._follow()

    async def _follow(self) -> None:
        """One connection's life; always raises."""
        connection = await asyncpg.connect(self._url, timeout=_TIMEOUT, command_timeout=_TIMEOUT)
        try:
            await connection.add_listener(self._channel, self._notified)
            self._take(await self._newest())
            self.ready.set()
            self.hears = True
            while True:
                # A connection that is half gone does not tell so by itself.
                await self._until_ended(connection)
                await connection.execute("SELECT 1")
        except Exception as error:
            log.warning("bus.connection_lost", error=repr(error))
            raise
        finally:
            self.hears = False
            connection.terminate()

    @staticmethod
    async def _until_ended(connection: Any) -> None:
        ended = asyncio.Event()

        def end(_: Any) -> None:
            ended.set()

        connection.add_termination_listener(end)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_EVERY):
                    await ended.wait()
        finally:
            connection.remove_termination_listener(end)

    def _take(self, newest: Mapping[str, int]) -> None:
        """At the beginning these events are old; later they may have been missed."""
        if not self.ready.is_set():
            self._handed_out = {**newest, **self._handed_out}
        for account_id, seq in newest.items():
            self._hear(account_id, seq)

    def _notified(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        account_id, first, last = payload.split(":")
        if not self.ready.is_set():
            self._handed_out.setdefault(account_id, int(first) - 1)
        self._hear(account_id, int(last))

    def _hear(self, account_id: str, seq: int) -> None:
        """The account's log reaches up to ``seq``."""
        if seq <= self._handed_out.get(account_id, 0):
            return
        if not self._listeners.wants(account_id):
            self._handed_out[account_id] = seq
            return
        self._newest_heard[account_id] = max(seq, self._newest_heard.get(account_id, 0))
        self._behind[account_id] = None
        self._awake.set()

    async def _read(self) -> None:
        while True:
            await self._awake.wait()
            account_id = next((each for each in self._behind if each not in self._reading), None)
            if account_id is None:
                self._awake.clear()
                continue
            del self._behind[account_id]
            self._reading.add(account_id)
            try:
                async for attempt in _insisting():
                    with attempt:
                        await self._catch_up(account_id)
            finally:
                self._reading.discard(account_id)
                self._awake.set()

    async def _catch_up(self, account_id: str) -> None:
        while (told := self._newest_heard.get(account_id, 0)) > self._handed_out.get(account_id, 0):
            events = await self._after(account_id, self._handed_out.get(account_id, 0), CHUNK)
            if events:
                self._hand_out(account_id, events)
            else:  # the account is gone
                self._handed_out[account_id] = max(told, self._handed_out.get(account_id, 0))
        self._newest_heard.pop(account_id, None)

    def _hand_out(self, account_id: str, events: Sequence[StoredEvent]) -> None:
        """Hand out those of the events that are new; they follow what was handed out."""
        handed_out = self._handed_out.get(account_id, 0)
        new = [event for event in events if event.seq > handed_out]
        if new:
            self._handed_out[account_id] = new[-1].seq
            self._listeners.publish(new)


def _insisting() -> Any:
    """Whatever the error is, it may pass: most likely it is the database."""
    return stamina.retry_context(
        on=Exception, attempts=None, timeout=None, wait_initial=0.05, wait_max=2.0
    ).__aiter__()

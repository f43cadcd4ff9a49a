"""A few connections that everybody shares; whoever has waited longest gets the next one.

asyncpg's own pool lets a newcomer take what was given back for one who waits, and who then waits anew
behind all others; and it starts two tasks for each use.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

import asyncpg

from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.postgres.connect import CONNECT_SECONDS, Connection, options
from trunkline.store.postgres.errors import FAILURES, said

IDLE = 300.0
"""Seconds after which a connection that nobody has used is closed."""


class Seat:
    """A place for one connection, which is opened when it is needed, and again when it was lost."""

    __slots__ = ("_url", "connection", "used_at")

    def __init__(self, url: str) -> None:
        self._url = url
        self.connection: Connection | None = None
        self.used_at = 0.0

    async def opened(self) -> Connection:
        """Its connection; raises DatabaseUnavailable."""
        if self.connection is None or self.connection.is_closed():
            try:
                self.connection = await asyncpg.connect(self._url, **options())
            except FAILURES as error:
                raise DatabaseUnavailable(said(error)) from error
        return self.connection

    def close(self) -> None:
        """Drop the connection, whatever it is doing."""
        if self.connection is not None:
            with suppress(Exception):
                self.connection.terminate()
            self.connection = None


class Shared:
    """So many seats. Use it from one event loop."""

    def __init__(self, url: str, seats: int) -> None:
        self._seats = [Seat(url) for _ in range(seats)]
        self._free = list(self._seats)
        self._waiting: deque[asyncio.Future[Seat]] = deque()
        self._closing_idle: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self) -> Seat:
        """A seat of one's own until it is given back; raises DatabaseUnavailable."""
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        return self._free.pop() if self._free else await self._in_turn()

    def give_back(self, seat: Seat) -> None:
        """Hand it to whoever has waited longest."""
        if self._closed:
            seat.close()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(seat)
                return
        loop = asyncio.get_running_loop()
        seat.used_at = loop.time()
        self._free.append(seat)
        if self._closing_idle is None and not self._closed:
            self._closing_idle = loop.call_later(IDLE, self._close_idle)

    def close(self) -> None:
        """Close them all; nobody may be reading."""
        self._closed = True
        if self._closing_idle is not None:
            self._closing_idle.cancel()
        for seat in self._seats:
            seat.close()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(DatabaseUnavailable("the database is closed"))

    async def _in_turn(self) -> Seat:
        waiting: asyncio.Future[Seat] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self.give_back(waiting.result())  # it came too late
            if isinstance(error, TimeoutError):
                raise DatabaseUnavailable(said(error)) from error
            raise

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        self._closing_idle = None
        for seat in self._free:
            if seat.used_at <= loop.time() - IDLE:
                seat.close()
        if any(seat.connection for seat in self._seats):
            self._closing_idle = loop.call_later(IDLE / 4, self._close_idle)

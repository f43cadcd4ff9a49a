"""How long a client may take to send a whole request: a fixed time, and more for a body that comes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LEAST_RATE = 4096
"""Bytes a second: each second's worth of a body earns the rest one more second."""


class RequestTime:
    """One connection's timer. ``late`` is called once, when a request has taken too long."""

    __slots__ = ("_body", "_ends", "_late", "_paused", "_seconds", "_timer")

    def __init__(
        self, seconds: float, late: Callable[[], None], paused: Callable[[], bool]
    ) -> None:
        """``paused``: is it we who do not read now?"""
        self._seconds, self._late, self._paused = seconds, late, paused
        self._timer: asyncio.TimerHandle | None = None
        self._ends = 0.0
        self._body = 0

    @property
    def runs(self) -> bool:
        return self._timer is not None

    def begin(self) -> None:
        """A request begins, or the first one of a connection is waited for."""
        self.end()
        loop = asyncio.get_running_loop()
        self._body = 0
        self._ends = loop.time() + self._seconds
        self._timer = loop.call_at(self._ends, self._over)

    def body(self, size: int) -> None:
        """So much of the body has come."""
        self._body += size

    def end(self) -> None:
        """The request is whole, or the connection over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        loop = asyncio.get_running_loop()
        earned, self._body = self._body / LEAST_RATE, 0
        if self._paused():
            earned += self._seconds
        self._ends += earned
        if self._ends > loop.time():
            self._timer = loop.call_at(self._ends, self._over)
        else:
            self._timer = None
            self._late()

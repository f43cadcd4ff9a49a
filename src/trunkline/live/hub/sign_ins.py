"""Who connects has a while to show a token that is good; who does not is sent away."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Protocol

import structlog

log = structlog.get_logger()

REVOKED = "the app may not be used any more"
NOT_SIGNED_IN = "no subscription came with a token that is good"


class Stranger(Protocol):
    """A connection that has shown no token yet."""

    def send_away(self) -> None:
        """It has had its time."""


class SignIns:
    """One timer for all: everybody has the same time, so who came first is looked at first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: OrderedDict[Stranger, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, stranger: Stranger) -> None:
        """Send it away in a while, unless `forget` is called before."""
        self._waiting[stranger] = asyncio.get_running_loop().time() + self._seconds
        self._wind()

    def forget(self, stranger: Stranger) -> None:
        """It has shown a token, or is over; doing it again does nothing."""
        self._waiting.pop(stranger, None)

    def __len__(self) -> int:
        return len(self._waiting)

    def _wind(self) -> None:
        if self._timer is None and self._waiting:
            first = next(iter(self._waiting.values()))
            self._timer = asyncio.get_running_loop().call_at(first, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._waiting and next(iter(self._waiting.values())) <= now:
            stranger, _ = self._waiting.popitem(last=False)
            try:
                stranger.send_away()
            except Exception:
                log.exception("live.sign_in_failed")
        self._wind()

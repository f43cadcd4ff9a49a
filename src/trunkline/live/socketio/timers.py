"""The times of Socket.IO's heartbeats, and one timer for all sessions together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

log = structlog.get_logger()


@dataclass(frozen=True)
class HeartbeatTimes:
    """Seconds. The values of the reference servers, and for 0.9 those of Kazoo."""

    ping_interval: float = 25.0
    """Engine.IO: from an answered ping to the next."""
    ping_timeout: float = 20.0
    """Engine.IO: for the answer; after that the session is over."""
    upgrade: float = 10.0
    """Engine.IO: for the steps from polling to WebSocket."""
    beat: float = 5.0
    """0.9: from one heartbeat to the next, and how long a poll is held."""
    silence: float = 30.0
    """0.9: how long a session outlives its last sign of life."""
    linger: float = 30.0
    """How long a session that was cut off waits for the poll that takes its last packets."""


class Timed(Protocol):
    """What a wheel calls; ``slot`` is the wheel's own note, 0 at first."""

    slot: int

    def due(self) -> None:
        """The time has come; it is off the wheel."""


class TimerWheel:
    """One timer for any number of things; setting and clearing costs the same for each.

    A time is kept to within a quarter of a second, never early.
    """

    def __init__(self, tick: float = 0.25) -> None:
        self._tick = tick
        self._slots: dict[int, dict[Timed, None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._turned = 0

    def set(self, item: Timed, seconds: float) -> None:
        """Call ``item.due()`` after so many seconds, whatever was set before."""
        self.clear(item)
        loop = asyncio.get_running_loop()
        item.slot = int((loop.time() + seconds) / self._tick) + 1
        self._slots.setdefault(item.slot, {})[item] = None
        if self._timer is None:
            self._turned = int(loop.time() / self._tick)
            self._timer = loop.call_later(self._tick, self._turn)

    def clear(self, item: Timed) -> None:
        """Take it off the wheel; doing it again does nothing."""
        slot = self._slots.get(item.slot)
        if slot is not None:
            slot.pop(item, None)
            if not slot:
                del self._slots[item.slot]
        item.slot = 0

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = int(loop.time() / self._tick)
        for slot in range(self._turned + 1, now + 1):
            self._call(self._slots.pop(slot, {}))
        self._turned = now
        self._timer = loop.call_later(self._tick, self._turn) if self._slots else None

    def _call(self, items: dict[Timed, None]) -> None:
        for item in tuple(items):
            if item not in items:
                continue
            item.slot = 0
            try:
                item.due()
            except Exception:
                log.exception("live.timer_failed")

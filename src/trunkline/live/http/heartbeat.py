"""One timer for all connections: each is visited once in a while, and never all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

Member = TypeVar("Member")
log = structlog.get_logger()

_SLOTS = 20


class Heartbeat(Generic[Member]):
    """Calls ``visit`` for every member once in ``period`` seconds; no members, no timer."""

    def __init__(self, period: float, visit: Callable[[Member], None]) -> None:
        self._pause, self._visit = period / _SLOTS, visit
        self._slots: tuple[dict[Member, None], ...] = tuple({} for _ in range(_SLOTS))
        self._where: dict[Member, int] = {}
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._where)

    def members(self) -> list[Member]:
        return [*self._where]

    def add(self, member: Member) -> None:
        """Visit it from now on, for the first time within one period."""
        self._where[member] = slot = (self._next - 1 - len(self._where)) % _SLOTS
        self._slots[slot][member] = None
        if self._timer is None:
            self._wind()

    def remove(self, member: Member) -> None:
        """Visit it no more; nothing happens when it is not there."""
        slot = self._where.pop(member, None)
        if slot is not None:
            del self._slots[slot][member]

    def _wind(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._beat)

    def _beat(self) -> None:
        self._timer = None
        for member in tuple(self._slots[self._next]):
            try:
                self._visit(member)
            except Exception:
                log.exception("live.visit_failed")
        self._next = (self._next + 1) % _SLOTS
        if self._where:
            self._wind()

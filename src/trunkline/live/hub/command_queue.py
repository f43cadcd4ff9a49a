"""What one client asks for, done one after the other, in the order in which it asked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Act = Callable[[], Awaitable[None]]


class InTurn:
    """A client's requests; a task runs only while there are some. What they raise is theirs.

    A client is to be refused more while ``most`` of them wait: the log may be slow, and they are
    in memory.
    """

    __slots__ = ("_most", "_task", "_waiting")

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Act] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Do as many wait as may?"""
        return len(self._waiting) >= self._most

    def take(self, act: Act) -> None:
        """Do this once all that was taken before is done. ``act`` must not raise."""
        self._waiting.append(act)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._do())

    def close(self) -> None:
        """The client is gone: what is not done yet need not be."""
        self._waiting.clear()

    async def _do(self) -> None:
        try:
            while self._waiting:
                await self._waiting.popleft()()
        finally:
            self._task = None

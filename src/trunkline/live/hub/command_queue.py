"""The commands of one client, done one after the other in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Act = Callable[[], Awaitable[None]]


class CommandQueue:
    """A task runs only while commands wait.

    Refuse a client's next command while `is_full`: the log may be slow, and what waits is in memory.
    """

    __slots__ = ("_most", "_task", "_waiting")

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Act] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= self._most

    def take(self, act: Act) -> None:
        """Do this after all that was taken before. ``act`` must not raise."""
        self._waiting.append(act)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._do())

    def close(self) -> None:
        """Drop what waits: the client is gone."""
        self._waiting.clear()

    async def _do(self) -> None:
        try:
            while self._waiting:
                await self._waiting.popleft()()
        finally:
            self._task = None

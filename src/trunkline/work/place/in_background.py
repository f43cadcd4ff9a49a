"""Work that goes on by itself once nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


class InBackground:
    """The work that is under way; what it raises once nobody waits is dropped."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def keep(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        """Have it done, however long that takes."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def is_done(self, work: Awaitable[Any], within: float) -> bool:
        """Is it done within so many seconds? If not, it goes on. Raises what it raises in that time."""
        task = self.keep(work)
        done, _ = await asyncio.wait({task}, timeout=within)
        if done:
            task.result()
        return bool(done)

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

"""Reads that are nearly always quick, and must not hold everybody up when they are not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

SLOW = 0.02
"""Seconds: such a read has waited for the disk."""
WARY = 1.0
"""For so many seconds after a slow one, reads go to other threads."""


class OnTheSpot:
    """Runs reads in the loop's thread while they are quick, and in others for a while after a slow one.

    From memory, a page of history is read in less time than it takes to hand it to another thread
    and back; a file that does not fit in memory holds the loop up once a second at most.
    """

    def __init__(
        self, threads: ThreadPoolExecutor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threads = threads
        self._clock = clock
        self._wary_until = -WARY

    async def run(self, read: Callable[[], T]) -> T:
        """What ``read`` gives; it may run in any thread."""
        began = self._clock()
        if began < self._wary_until:
            return await asyncio.get_running_loop().run_in_executor(self._threads, read)
        try:
            return read()
        finally:
            ended = self._clock()
            if ended - began > SLOW:
                self._wary_until = ended + WARY

"""Take calls of before an upgrade into the index and the statistics, beside all that goes on.

Both go in small steps, each a transaction, with pauses in which calls are written. Nothing is lost or
counted twice when a step is cut short: the next start goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from trunkline.store.ports.history import History
from trunkline.store.ports.statistics import Statistics
from trunkline.work.keep_trying import insisting

INDEXED, COUNTED = 100, 300
"""Calls in one step: it takes some 10 ms, for which other writes wait."""
_PAUSE = 0.05
_LONGEST_PAUSE = 60.0

log = structlog.get_logger()


async def index_older_calls(history: History) -> None:
    """Returns once every call is found by its terms, and stands in the order of changes."""
    await _in_steps("calls.indexed", lambda: history.index(INDEXED))


async def count_older_calls(statistics: Statistics) -> None:
    """Returns once every call is in the statistics; the newest come first."""
    await _in_steps("statistics.counted_older_calls", lambda: statistics.count_older(COUNTED))


async def _in_steps(done: str, step: Callable[[], Awaitable[int | bool]]) -> None:
    steps = 0
    async for attempt in insisting(_LONGEST_PAUSE):
        with attempt:
            while await step():
                steps += 1
                await asyncio.sleep(_PAUSE)
    if steps:
        log.info(done, steps=steps)

"""Counting the calls of before there were statistics, beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import stamina
import structlog

from trunkline.db.port import DatabaseUnavailable
from trunkline.db.statistics_port import Statistics

log = structlog.get_logger()

STEP = 300
"""Calls in one transaction: some 10 ms, for which other writes wait."""
_PAUSE = 0.03
"""Seconds between two steps, in which the calls that are going on are written."""


async def count_older_calls(statistics: Statistics) -> None:
    """Count them all, newest first, and return; a database that takes no writes is waited for.

    Nothing is lost or counted twice when it ends amid it: the next start goes on from there.
    """
    steps = 0
    async for attempt in _insisting():
        with attempt:
            while await statistics.count_older(STEP):
                steps += 1
                await asyncio.sleep(_PAUSE)
    if steps:
        log.info("statistics.counted_older_calls", steps=steps)


def _insisting() -> AsyncIterator[Any]:
    return stamina.retry_context(
        on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=60.0
    ).__aiter__()

"""Takes the calls of before an upgrade into the index, beside everything else that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import stamina
import structlog

from trunkline.db.history_port import History
from trunkline.db.port import DatabaseUnavailable

_AT_ONCE = 100
_PAUSE = 0.05
"""Seconds between two steps, in which the calls that are going on are written."""

log = structlog.get_logger()


async def index_calls(history: History) -> None:
    """Return once all are in; where it is interrupted, the next start goes on."""
    done = 0
    async for attempt in _insisting():
        with attempt:
            while step := await history.index(_AT_ONCE):
                done += step
                await asyncio.sleep(_PAUSE)
    if done:
        log.info("calls.indexed", calls=done)


def _insisting() -> AsyncIterator[Any]:
    return stamina.retry_context(
        on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=60.0
    ).__aiter__()

"""Tries again for as long as the database is away: ``insisting``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import stamina

from trunkline.store.ports.database import DatabaseUnavailable


def insisting(longest_pause: float = 5.0) -> AsyncIterator[Any]:
    """Attempts without end, at most so many seconds apart; anything but DatabaseUnavailable is raised.

    ``async for attempt in insisting(): with attempt: …``
    """
    return stamina.retry_context(
        on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=longest_pause
    ).__aiter__()

"""The clock of the processes."""

from __future__ import annotations

import time


def now() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000

"""Times as the world reads them: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

GREGORIAN = 62_167_219_200
"""Seconds from year 0 to 1970: what Erlang, and so Kazoo, counts from."""

SECOND = 1_000_000
"""Microseconds."""


@lru_cache(maxsize=4096)  # the times of a live call stand in each of its events
def rfc3339(at: int) -> str:
    """Unix microseconds as ``2026-11-23T15:00:00.123Z``: UTC, milliseconds, rounded down."""
    seconds, microseconds = divmod(at, SECOND)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{microseconds // 1000:03}Z"


def maybe(at: int | None) -> str | None:
    """The same, of what may not have happened yet."""
    return None if at is None else rfc3339(at)


def gregorian(at: int) -> int:
    """Unix microseconds as whole Gregorian seconds."""
    return at // SECOND + GREGORIAN

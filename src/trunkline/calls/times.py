"""Times as the world reads and writes them: RFC 3339, and clocks of time zones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

GREGORIAN = 62_167_219_200
"""Seconds from year 0 to 1970: what Erlang, and so Kazoo, counts from."""

SECOND = 1_000_000  # microseconds

Time = Annotated[
    str,
    Meta(
        description="RFC 3339, UTC, with milliseconds.",
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        extra_json_schema={"format": "date-time"},
    ),
]


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_YEARS = range(1970, 2200)


def read_rfc3339(text: str) -> int:
    """Unix microseconds of an RFC 3339 date-time, finer digits dropped.

    Raises ValueError with a sentence. The offset is needed; ``t`` and ``z`` may be of lower case;
    a leap second is not known.
    """
    if not _RFC3339.fullmatch(text.upper()):
        hint = "; in a URL the + of an offset is written %2B" if " " in text else ""
        raise ValueError(f"Expected an RFC 3339 time such as 2026-11-23T15:00:00Z{hint}")
    try:
        stamp = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("Expected a day, a time and an offset that exist") from None
    if stamp.year not in _YEARS:
        raise ValueError(f"Expected a year from {_YEARS[0]} to {_YEARS[-1]}")
    return (stamp - _EPOCH) // _MICROSECOND


def by_clock(wall: datetime, zone: ZoneInfo) -> int:
    """When a clock of that zone showed this, in unix microseconds; see ``readings``."""
    return readings(wall, zone)[0]


def readings(wall: datetime, zone: ZoneInfo) -> tuple[int, ...]:
    """The moments at which a clock of that zone showed this, the earlier one first.

    What it showed twice has two. What it left out has one: the moment at which it was set forward.
    """
    earlier, later = (
        (wall.replace(tzinfo=zone, fold=fold) - _EPOCH) // _MICROSECOND for fold in (0, 1)
    )
    if earlier <= later:
        return (earlier,) if earlier == later else (earlier, later)
    return (_change(later, earlier, zone),)


def left_out(wall: datetime, zone: ZoneInfo) -> bool:
    """Did no clock of that zone ever show this, because it was set forward over it?"""
    before, after = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return before is not None and after is not None and before < after


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """The moment in (low, high] at which the zone's offset is changed: always a whole second."""
    first, last = low // SECOND, -(-high // SECOND)
    before = _offset(first, zone)
    while last - first > 1:
        middle = (first + last) // 2
        if _offset(middle, zone) == before:
            first = middle
        else:
            last = middle
    return last * SECOND


def _offset(seconds: int, zone: ZoneInfo) -> timedelta | None:
    return (_EPOCH + timedelta(seconds=seconds)).astimezone(zone).utcoffset()


@lru_cache(maxsize=4096)  # the times of a live call stand in each of its events
def rfc3339(at: int) -> str:
    """Unix microseconds as ``2026-11-23T15:00:00.123Z``: UTC, milliseconds, rounded down."""
    seconds, microseconds = divmod(at, SECOND)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{microseconds // 1000:03}Z"


def rfc3339_or_none(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def gregorian(at: int) -> int:
    """Unix microseconds as whole Gregorian seconds."""
    return at // SECOND + GREGORIAN


def whole_seconds(microseconds: int) -> int:
    """Seconds, of which each one that has begun counts."""
    return -(-microseconds // SECOND)

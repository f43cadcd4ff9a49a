"""How a window of history is made of the widest steps that are counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WIDTHS = (1, MINUTE, HOUR, DAY)
"""Microseconds of one step at each level: rows, minutes, hours, days."""


class CountedSpan(NamedTuple):
    """Part of a window, ``low`` to ``high`` in microseconds, made of whole steps of its level."""

    level: int
    low: int
    high: int


def cover(low: int, high: int, level: int = 0) -> Iterator[CountedSpan]:
    """The window as spans of the widest steps that fit, newest first."""
    if low >= high:
        return
    if level == len(WIDTHS) - 1:
        yield CountedSpan(level, low, high)
        return
    wider = WIDTHS[level + 1]
    first, last = -(-low // wider) * wider, high // wider * wider
    if first >= last:
        yield CountedSpan(level, low, high)
        return
    if last < high:
        yield CountedSpan(level, last, high)
    yield from cover(first, last, level + 1)
    if low < first:
        yield CountedSpan(level, low, first)

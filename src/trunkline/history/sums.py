"""What calls came to, from sums that are kept as each call is written, never from scans.

Kept are quarters of an hour, since no clock in use is off UTC by less; three hours, which the days of
most clocks are mostly made of; and days of UTC, for all that is longer. Times are unix microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

QUARTER = 900_000_000
DAY = 96 * QUARTER
WIDTHS = (QUARTER, 12 * QUARTER, DAY)
"""Microseconds."""

GroupBy = Literal["none", "user", "did", "trunk", "class", "direction", "status"]

_OF_WHOLE: dict[str, int] = {"class": 0, "direction": 1, "status": 2}


class TooManyPoints(Exception):
    """There would be more points than were allowed."""


class Sums(msgspec.Struct, frozen=True):
    """What some calls came to; seconds are whole, as in their records.

    ``outgoing`` are those that the user made, and for all else those with the direction ``from_ab``;
    ``rang`` those whose far end was heard to ring.
    """

    calls: int = 0
    outgoing: int = 0
    answered: int = 0
    busy: int = 0
    unanswered: int = 0
    cancelled: int = 0
    ivr: int = 0
    rang: int = 0
    talk_seconds: int = 0
    ring_seconds: int = 0
    duration_seconds: int = 0
    longest_talk_seconds: int = 0

    def __add__(self, other: Sums) -> Sums:
        *mine, longest = msgspec.structs.astuple(self)
        *others, their_longest = msgspec.structs.astuple(other)
        sums = map(int.__add__, mine, others)
        return Sums(*[*sums, max(longest, their_longest)])


class Summed(msgspec.Struct, frozen=True):
    """What was asked for, all from one state of the database.

    ``series`` has key -> sums for each interval; the key of the group ``none`` is empty, and only
    keys with calls are there. ``totals`` are of the account's calls in the whole window. Calls that
    started before ``counted_from`` may be missing in it; None: all are counted.
    """

    series: list[dict[str, Sums]]
    totals: Sums
    counted_from: int | None


class Span(NamedTuple):
    """Part of a window, made of whole buckets: ``low`` to ``high`` of the same width (microseconds)."""

    width: int
    low: int
    high: int


def spans(low: int, high: int, level: int = len(WIDTHS) - 1) -> Iterator[Span]:
    """The window of whole quarters as the widest buckets that fit, in the order of time."""
    if low >= high:
        return
    width = WIDTHS[level]
    first, last = -(-low // width), high // width
    if first >= last:
        yield from spans(low, high, level - 1)
        return
    yield from spans(low, first * width, level - 1)
    yield Span(width, first, last)
    yield from spans(last * width, high, level - 1)


def dimension(group: GroupBy) -> str:
    """Where a group's sums are kept."""
    return group if group in ("user", "did", "trunk") else "all"


def group_key(group: GroupBy, key: str) -> str:
    """A kept key as the group shows it; under ``all`` it is class/direction/status_detail."""
    if group == "none":
        return ""
    part = _OF_WHOLE.get(group)
    return key if part is None else key.split("/")[part]

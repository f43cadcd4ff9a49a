"""A window cut into hours, days, weeks or months of an account's clock: pure, in unix microseconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from trunkline.calls.times import by_clock
from trunkline.history.sums import QUARTER

Interval = Literal["none", "hour", "day", "week", "month"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HOUR = 4 * QUARTER


class TooManyIntervals(Exception):
    """The window has more intervals than were allowed."""


def whole_quarters(start: int, end: int) -> tuple[int, int]:
    """The window, widened to whole quarters of an hour."""
    return start // QUARTER * QUARTER, -(-end // QUARTER) * QUARTER


def cuts(start: int, end: int, interval: Interval, zone: str, most: int) -> list[int]:
    """``start``, where the account's clock begins each interval between, and ``end``.

    Weeks begin on Monday (ISO 8601). A day in which the clock is changed has 23 or 25 hours, and an
    hour that the clock shows twice is two. Raises TooManyIntervals.
    """
    found = [start]
    if interval != "none":
        for at in _beginnings(start, interval, ZoneInfo(zone)):
            if at >= end:
                break
            if at > found[-1]:  # a day that a zone left out has no length
                found.append(at)
            if len(found) > most:
                raise TooManyIntervals
    return [*found, end]


def local(at: int, zone: str) -> str:
    """The moment as the account's clock shows it, with its offset: ``2026-11-01T01:00:00-04:00``."""
    return _clock(at, ZoneInfo(zone)).isoformat(timespec="seconds")


def _beginnings(start: int, interval: Interval, zone: ZoneInfo) -> Iterator[int]:
    """From the first that is not before ``start``, or one earlier."""
    if interval == "hour":
        yield from _hours(start, zone)
        return
    day = _first_day(_clock(start, zone).date(), interval)
    while True:
        yield _midnight(day, zone)
        day = _next_day(day, interval)


def _hours(start: int, zone: ZoneInfo) -> Iterator[int]:
    """By the clock's minutes, which are not UTC's everywhere, and may change by half an hour."""
    at = start
    while True:
        clock = _clock(at, zone)
        past = (clock.minute * 60 + clock.second) * 1_000_000 + clock.microsecond
        at += _HOUR - past
        yield at // QUARTER * QUARTER


def _first_day(day: date, interval: Interval) -> date:
    if interval == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if interval == "month" else day


def _next_day(day: date, interval: Interval) -> date:
    if interval == "month":
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=7 if interval == "week" else 1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The day's first moment, also where the clock is changed at midnight."""
    return by_clock(datetime.combine(day, time()), zone) // QUARTER * QUARTER


def _clock(at: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + at * _MICROSECOND).astimezone(zone)

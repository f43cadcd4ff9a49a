"""Dates as people and programs write them in a query: pure, in unix microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from trunkline.calls.times import by_clock

_ISO = re.compile(
    r"(?:\d{4}-\d{2}-\d{2}(?P<time>[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?"
    r"|\d{8}(?P<basic>[Tt]\d{4}(?:\d{2}(?:[.,]\d{1,9})?)?))"
    r"(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_LAST = (datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND


class DateInvalid(ValueError):
    """The text is not a date that is understood; the message is a sentence that says why."""


class Moment(NamedTuple):
    """A point in time; ``wall`` is what the account's clock shows, where no offset was sent."""

    at: int
    wall: datetime | None = None


def moment(text: str, zone: str, *, end: bool = False) -> Moment:
    """Read a date; raises DateInvalid.

    ISO 8601 with an offset or ``Z``; without one in ``zone`` (IANA). A bare date is the day's
    start, or with ``end`` the next day's. All digits are unix seconds, from 13 digits milliseconds.
    A local time that occurs twice means the first, one that is left out the moment at which the
    clock is set forward.
    """
    if text.isascii() and text.isdigit():
        return _unix(text)
    found = _ISO.fullmatch(text)
    if found is None:
        raise DateInvalid(_hint(text))
    bare = not (found["time"] or found["basic"])
    if bare and found["offset"]:
        raise DateInvalid("A date without a time takes no offset.")
    return _placed(_parsed(text), zone, whole_day=bare and end)


def _unix(digits: str) -> Moment:
    scale = 1_000 if len(digits) >= 13 else 1_000_000
    at = int(digits) * scale if len(digits) <= 16 else _LAST
    if at >= _LAST:
        raise DateInvalid(f"A date is after the year {_LAST_YEAR}.")
    return Moment(at)


def _hint(text: str) -> str:
    if re.search(r"\d \d{2}:?\d{2}$", text):
        return "A date is not ISO 8601; in a URL the + of an offset is written %2B."
    return "A date is not ISO 8601, nor unix seconds or milliseconds."


def _parsed(text: str) -> datetime:
    try:
        stamp = datetime.fromisoformat(text.upper())
    except ValueError:
        raise DateInvalid("A date has a day or a time that does not exist.") from None
    if not _FIRST_YEAR <= stamp.year <= _LAST_YEAR:
        raise DateInvalid(f"A date is outside the years {_FIRST_YEAR} to {_LAST_YEAR}.")
    return stamp


def _placed(stamp: datetime, zone: str, *, whole_day: bool) -> Moment:
    if stamp.tzinfo is not None:
        return Moment((stamp - _EPOCH) // _MICROSECOND)
    wall = stamp + timedelta(days=1) if whole_day else stamp
    return Moment(by_clock(wall, ZoneInfo(zone)), wall)

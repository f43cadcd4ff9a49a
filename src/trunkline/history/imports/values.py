"""Reading the values of foreign rows: texts, times, durations, names of channels and SIP addresses.

Nothing here raises anything but Unusable, whatever it is given.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import product
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from trunkline.calls.times import GREGORIAN, SECOND, left_out, readings
from trunkline.history.imports.leg import Cells, Unusable

_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]+")
_EMPTY = frozenset({"", "\\N", "NULL", "null", "None", "undefined"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = 631_152_000 * SECOND  # 1990
_LATEST = 4_102_444_800 * SECOND  # 2100
_LONGEST = 31 * 86_400 * SECOND
_LONGEST_TEXT = 128
_SHOWN = 60
_NUMBER = re.compile(r"[0-9]{1,17}(\.[0-9]{0,9})?")
_CLOCK = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])(?:\.[0-9]*)?")
_CLID = re.compile(r'^\s*"?(?P<name>.*?)"?\s*<(?P<number>[^<>]*)>\s*$')
_CHANNEL = re.compile(r"^(?P<technology>[A-Za-z0-9]+)/(?P<rest>.+)$")
_TAIL = re.compile(r"-[0-9a-fA-F]{6,16}(;[12])?$")
_SIP = re.compile(r"^(?:sips?:)?(?P<user>[^@;]*)")


def text(cells: Cells, *names: str) -> str:
    """The first of these columns that says anything, in one line of at most 128 characters; else empty."""
    for name in names:
        value = cells.get(name)
        if value is not None and (found := clean(value)):
            return found
    return ""


def clean(value: Any) -> str:
    """Any scalar as text that every database can keep; empty for a value that says nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    plain = _as_text(value)
    cleaned = (plain if plain.isprintable() else _UNSTORABLE.sub(" ", plain)).strip()
    return "" if cleaned in _EMPTY else cleaned[:_LONGEST_TEXT]


def _as_text(value: str | float) -> str:
    try:
        return str(value)
    except ValueError:  # an int of more than 4,300 digits
        return ""


def shown(name: str, value: str) -> str:
    return f"{name}: {value[:_SHOWN]!r}"


def moment(cells: Cells, zone: ZoneInfo, *names: str) -> int:
    """Unix microseconds, from the first of these columns that has a time; raises Unusable."""
    return present(stamp(cells, zone, *names), *names).moments[0]


class Stamp(NamedTuple):
    """A time in a row: every moment that it may mean, in order. ``left_out``: no clock ever showed it."""

    moments: tuple[int, ...]
    left_out: bool = False


def stamp(cells: Cells, zone: ZoneInfo, *names: str) -> Stamp | None:
    """The time in the first of these columns that has one; raises Unusable.

    None where all are empty.
    """
    for name in names:
        value = text(cells, name)
        if value and not value.startswith("0000-00-00") and value not in ("0", "0.0"):
            return _read_time(name, value, zone)
    return None


def present(found: Stamp | None, *names: str) -> Stamp:
    """The time that was read from these columns; raises Unusable if there was none."""
    if found is None:
        raise Unusable("time_missing", " or ".join(names))
    return found


def _read_time(name: str, value: str, zone: ZoneInfo) -> Stamp:
    number = _NUMBER.fullmatch(value)
    found = Stamp((_from_digits(value),)) if number else _from_words(value, zone)
    if found is None:
        raise Unusable("time_unreadable", shown(name, value))
    if not all(_EARLIEST <= at < _LATEST for at in found.moments):
        raise Unusable("time_out_of_range", shown(name, value))
    return found


def _from_digits(value: str) -> int:
    """Unix seconds, milliseconds or microseconds, by the number of digits; with 11 digits Gregorian seconds."""
    whole, _, fraction = value.partition(".")
    n = int(whole)
    if len(whole) >= 16:
        return n
    if len(whole) >= 13:
        return n * 1000
    seconds = n - GREGORIAN if n > GREGORIAN else n
    return seconds * SECOND + int((fraction + "000000")[:6])


def _from_words(value: str, zone: ZoneInfo) -> Stamp | None:
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        try:
            read = parsedate_to_datetime(value)  # RFC 5322, as in "Tue, 02 Jan 2024 10:00:00 GMT"
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    try:
        if read.tzinfo is None:
            return Stamp(readings(read, zone), left_out(read, zone))
        return Stamp(((read - _EPOCH) // timedelta(microseconds=1),))
    except (ValueError, OverflowError):
        return None


def duration(cells: Cells, *names: str) -> int | None:
    """Microseconds from seconds (12, 12.5) or a clock (0:00:12); None where all are empty."""
    for name in names:
        if value := text(cells, name):
            return _read_duration(name, value)
    return None


def _read_duration(name: str, value: str) -> int:
    if _NUMBER.fullmatch(value):
        whole, _, fraction = value.partition(".")
        lasted = int(whole) * SECOND + int((fraction + "000000")[:6])
    elif clock := _CLOCK.fullmatch(value):
        hours, minutes, seconds = (int(part) for part in clock.groups())
        lasted = (hours * 3600 + minutes * 60 + seconds) * SECOND
    else:
        raise Unusable("duration_unreadable", shown(name, value))
    return plausible(lasted, shown(name, value))


def plausible(lasted: int, detail: str) -> int:
    """The microseconds of a call; raises Unusable where they are negative, or more than any call lasts."""
    if not 0 <= lasted <= _LONGEST:
        raise Unusable("duration_implausible", detail)
    return lasted


def span(start: Stamp, end: Stamp | None, lasted: int | None) -> tuple[int, int]:
    """(start, end) of a call from what the row says of it; raises Unusable where that cannot be.

    A clock that was set back lets a time be read in two ways. The length of the call then tells which one is
    meant; without it, the first plausible one is taken. The length also goes before a time that the clock
    left out.
    """
    if end is None or (lasted is not None and (start.left_out or end.left_out)):
        return start.moments[0], start.moments[0] + (lasted or 0)
    pairs = list(product(start.moments, end.moments))
    possible = [pair for pair in pairs if 0 <= pair[1] - pair[0] <= _LONGEST]
    if not possible:
        raise Unusable(
            "duration_implausible", "the end is before the start, or over a month after it"
        )
    if lasted is None:
        return possible[0]
    return min(possible, key=lambda pair: abs(pair[1] - pair[0] - lasted))


def caller_id(clid: str) -> tuple[str, str]:
    """(name, number) of Asterisk's ``"Name" <number>``."""
    found = _CLID.match(clid)
    if found is None:
        return "", clid.strip('" ')
    return found["name"].strip('" '), found["number"].strip()


def peer(channel: str) -> str:
    """The peer of an Asterisk channel: ``101`` of ``PJSIP/101-0000001a`` and of ``Local/101@x-1;2``."""
    found = _CHANNEL.match(channel)
    if found is None:
        return ""
    return _TAIL.sub("", found["rest"]).partition("@")[0].partition("/")[0]


def sip_user(address: str) -> str:
    """The user part of ``sip:user@host``; a plain number stays."""
    found = _SIP.match(address)
    return found["user"].strip() if found else ""

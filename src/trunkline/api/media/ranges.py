"""Byte ranges (RFC 9110, section 14): pure."""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_MOST_DIGITS = 18


class RangeNotSatisfiable(Exception):
    """The range is well formed, and none of the ``size`` bytes are in it: 416."""

    def __init__(self, size: int) -> None:
        super().__init__(f"of {size} bytes")
        self.size = size


def one_range(header: str, size: int) -> tuple[int, int] | None:
    """The bytes [start, end) that are asked for; None when the header is to be ignored.

    Several ranges, another unit and what is malformed are ignored, as RFC 9110 14.2 allows or says.
    Raises RangeNotSatisfiable.
    """
    found = _ONE_RANGE.fullmatch(header)
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        return _suffix(_number(found[2]), size)
    first = _number(found[1])
    last = _number(found[2]) if found[2] else size - 1
    if found[2] and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable(size)
    return first, min(last, size - 1) + 1


def _suffix(length: int, size: int) -> tuple[int, int]:
    if length == 0 or size == 0:
        raise RangeNotSatisfiable(size)
    return max(0, size - length), size


def _number(digits: str) -> int:
    """Python refuses to read thousands of digits; any size beyond all files will do."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else int("9" * _MOST_DIGITS)

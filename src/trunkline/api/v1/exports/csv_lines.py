"""Calls as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from trunkline.api.v1.exports.columns import COLUMNS
from trunkline.store.ports.history import CallRow

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How formulas begin, by OWASP's list; the last four are the full-width ones, which some spreadsheets take for the first four."""


class Csv:
    """RFC 4180 in UTF-8, a head line, texts in quotes, tags separated by commas in their cell."""

    media_type = b"text/csv; charset=utf-8; header=present"
    suffix = "csv"

    def begin(self) -> bytes:
        return self._lines([[column.name for column in COLUMNS]])

    def rows(self, calls: Sequence[CallRow]) -> bytes:
        return self._lines([[_cell(column.flat(call)) for column in COLUMNS] for call in calls])

    def end(self) -> bytes:
        return b""

    def _lines(self, rows: list[list[Any]]) -> bytes:
        made = io.StringIO(newline="")
        csv.writer(made, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
        return made.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value

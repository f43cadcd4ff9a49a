"""CSV as MySQL's ``INTO OUTFILE`` writes it: a backslash before a quote in a cell, NULL as ``\\N``.

In all other CSV a quote is doubled (RFC 4180) and a backslash is itself. The rows tell which of the two a
file is: read in the wrong way, some of them break.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

_LETTERS = frozenset("0Zbnrt")
"""A letter after a backslash stands for a character that we keep in no cell."""


class Quoting(NamedTuple):
    """How such a file is written; ``enclosed``: its cells are in quotes."""

    enclosed: bool


def quoting(sample: Sequence[str], delimiter: str) -> Quoting | None:
    """How MySQL wrote these first lines of a file; None where they look more like RFC 4180."""
    if not any("\\" in line for line in sample):
        return None
    best, found = _good_rows(csv.reader(sample, delimiter=delimiter, strict=True)), None
    for how in (Quoting(True), Quoting(False)):
        if not how.enclosed and sample[0].startswith('"'):
            continue
        good = _good_rows(reader(sample, delimiter, how, strict=True))
        if good > best:
            best, found = good, how
    return found


def reader(text: Iterable[str], delimiter: str, how: Quoting, strict: bool = False) -> Any:
    """A ``csv.reader`` of such lines; it gives NULL as an empty cell."""
    return csv.reader(
        _without_nulls(text, delimiter),
        delimiter=delimiter,
        escapechar="\\",
        quoting=csv.QUOTE_MINIMAL if how.enclosed else csv.QUOTE_NONE,
        strict=strict,
    )


def _without_nulls(text: Iterable[str], delimiter: str) -> Iterator[str]:
    bound = re.escape(delimiter)
    escape = re.compile(rf"(?:^|(?<={bound}))\\N(?=[{bound}\r\n]|$)|\\(.)", re.DOTALL)
    return (escape.sub(_rewritten, line) if "\\" in line else line for line in text)


def _rewritten(found: re.Match[str]) -> str:
    if found[1] is None:
        return ""
    return " " if found[1] in _LETTERS else found[0]


def _good_rows(rows: Any) -> int:
    """The number of rows that can be read and have as many cells as most of them."""
    lengths: Counter[int] = Counter()
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return lengths.most_common(1)[0][1] if lengths else 0
        except csv.Error:
            continue
        if cells:
            lengths[len(cells)] += 1

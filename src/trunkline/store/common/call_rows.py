"""What finding calls decides once their rows are read: the same in every database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from trunkline.calls.facts import Party
from trunkline.history.terms import Lookup
from trunkline.store.common.call_columns import COLUMNS, NAMES, PARTY
from trunkline.store.ports.history import CallFilter, CallKey, CallRow, Changed, Found

T = TypeVar("T")

MOST_AT_ONCE = 200
"""Calls of one time of start that are compared with one of them."""


def call_row(row: Sequence[Any]) -> CallRow:
    """The call of the columns that stand for ``{row}`` in SQL."""
    fields: dict[str, Any] = dict(zip(_FIELDS, _plain(row), strict=True))
    for name, at in _FLAGS:
        fields[name] = bool(row[at])
    for name, part in _PARTIES:
        fields[name] = Party(*row[part])
    fields["tags"] = tuple(filter(None, row[_TAGS].split(","))) if row[_TAGS] else ()
    return CallRow(**fields)


_TAGS, _HOLD = len(NAMES) + 1, len(NAMES) + 3
_PARTIES = [
    (name, slice(at, at + len(PARTY)))
    for name in ("caller", "callee")
    for at in [NAMES.index(f"{name}_{PARTY[0]}")]
]
_FLAGS = [(column.field, at) for at, column in enumerate(COLUMNS) if column.kind == "flag"]
_FLAGS.append(("hold", _HOLD))
_PLAIN = {
    column.field: at
    for at, column in enumerate(COLUMNS)
    if column.kind != "flag" and column.field not in ("caller", "callee")
} | {"note": len(NAMES), "update": len(NAMES) + 2}
_FIELDS, _plain = tuple(_PLAIN), itemgetter(*_PLAIN.values())


def meets(row: CallRow, wanted: CallFilter, tested: Sequence[Lookup]) -> bool:
    """Is it a call of the id that is wanted (None: any), that all these lookups hold for?"""
    if wanted.call_id not in (None, row.call_id):
        return False
    if not tested:
        return True
    terms = row.terms()
    return all(lookup.holds(terms) for lookup in tested)


def newest_first(rows: Sequence[CallRow]) -> list[CallRow]:
    """The calls in the order of a page."""
    return sorted(rows, key=lambda row: row.key, reverse=True)


def chunked(keys: Sequence[T], sizes: Sequence[int]) -> Iterator[Sequence[T]]:
    """The keys in chunks of these sizes, none of them empty; what goes beyond is left out."""
    at = 0
    for size in sizes:
        if chunk := keys[at : at + size]:
            yield chunk
        at += size


def page(rows: Sequence[CallRow], limit: int, last: CallKey | None) -> Found:
    """``last`` is the last key that was looked at; None: there are no more."""
    if len(rows) > limit:
        return Found(rows[:limit], rows[limit - 1].key)
    return Found(rows, last)


def changes(rows: Sequence[CallRow], limit: int, upto: int, more: bool) -> Changed:
    """The calls in the order of their changes.

    ``upto`` is the number up to which all was looked at; ``more``: something changed after it.
    """
    rows = sorted(rows, key=lambda row: row.update)
    if len(rows) > limit:
        return Changed(rows[:limit], rows[limit - 1].update, True)
    return Changed(rows, upto, more)

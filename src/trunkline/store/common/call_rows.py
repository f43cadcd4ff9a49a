"""Finished calls as their rows hold them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from trunkline.calls.facts import Party
from trunkline.store.common.call_columns import COLUMNS, NAMES, PARTY
from trunkline.store.ports.history import CallRow


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

"""What stands in the place of ``{columns}`` and its like in the files of SQL: names from one definition."""

from __future__ import annotations

from collections.abc import Iterable

from trunkline.history.row import HISTORY_COLUMNS
from trunkline.store.common.call_columns import COLUMNS, NAMES, PARAMETERS, Kind
from trunkline.store.common.statistics_rows import Counted

_MORE = ("note", "tags", "update_seq")
_HELD = "EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = {0}.id)"
_ARRAYS: dict[Kind, str] = {
    "text": "text[]",
    "number": "integer[]",
    "time": "bigint[]",
    "flag": "boolean[]",
}


_CALLED_OTHERWISE = {"class_": "class", "call_id": "id"}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_CALLED_OTHERWISE.get(name, name) for name in names)


_SLOTS = {
    "{columns}": _listed(NAMES),
    "{names}": ", ".join(PARAMETERS),
    "{values}": ", ".join(f":{name}" for name in PARAMETERS),
    "{all_names}": ", ".join(f"all_{name}" for name in PARAMETERS),
    "{all_values}": ", ".join(
        f":all_{name}::{_ARRAYS[column.kind]}"
        for name, column in zip(PARAMETERS, COLUMNS, strict=True)
    ),
    "{row}": _listed((*NAMES, *_MORE, _HELD.format("calls"))),
    "{row of c}": _listed([*(f"c.{name}" for name in (*NAMES, *_MORE)), _HELD.format("c")]),
    "{history}": _listed(HISTORY_COLUMNS),
    "{counted}": _listed(Counted._fields),
}


def filled(text: str) -> str:
    """A file of SQL with its slots filled: of finished calls, their columns; ``db.finding.call_row`` reads
    ``{row}``, ``calls.record.history_row`` reads ``{history}`` and ``Counted`` ``{counted}``."""
    for slot, columns in _SLOTS.items():
        text = text.replace(slot, columns)
    return text

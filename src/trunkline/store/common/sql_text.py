"""The files of SQL, and what stands in the place of ``{columns}`` and its like in them.

What both databases have is written once, in PostgreSQL's words. Names of columns come from one definition;
what SQLite has to say otherwise is a slot that each database fills (``SLOTS`` in its ``queries.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources

from trunkline.history.row import HISTORY_COLUMNS
from trunkline.store.common.call_columns import COLUMNS, NAMES, PARAMETERS, Kind
from trunkline.store.common.call_sums import Counted
from trunkline.store.common.deliveries import ATTEMPT, DELIVERY
from trunkline.store.common.webhooks import WEBHOOK
from trunkline.store.ports.database import Recording

_MORE = ("note", "tags", "update_seq")
_HELD = "EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = {0}.id)"
_WANTED = """(:class_::text IS NULL OR class = :class_::text)
    AND (:direction::text IS NULL OR direction = :direction::text)
    AND (:statuses::text[] IS NULL OR status_detail = ANY(:statuses::text[]))
    AND duration_seconds BETWEEN :shortest::bigint AND :longest::bigint
    AND billing_seconds BETWEEN :billed_from::bigint AND :billed_to::bigint
    AND (:recorded::boolean IS NULL OR (recording <> '') = :recorded::boolean)
    AND (:held::boolean IS NULL
         OR EXISTS (SELECT 1 FROM call_holds h WHERE h.call_id = {0}.id) = :held::boolean)"""
_OF_ITS_CALL = {
    "client_ref": "(SELECT c.client_ref FROM {calls c} WHERE c.id = recordings.call_id)"
}
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
    "{webhook}": ", ".join(WEBHOOK),
    "{webhook of w}": ", ".join(f"w.{name}" for name in WEBHOOK),
    "{delivery}": ", ".join(DELIVERY),
    "{attempt}": ", ".join(ATTEMPT),
    "{recording}": ", ".join(_OF_ITS_CALL.get(name, name) for name in Recording.__struct_fields__),
    "{wanted of calls}": _WANTED.format("calls"),
    "{wanted of c}": _WANTED.format("c"),
}


def filled(text: str, slots: Mapping[str, str]) -> str:
    """SQL with its slots filled, those of a database and those of finished calls: ``call_row`` reads
    ``{row}``, ``calls.record.history_row`` reads ``{history}`` and ``Counted`` ``{counted}``."""
    for slot, standing in {**_SLOTS, **slots}.items():
        text = text.replace(slot, standing)
    return text


def statements(subject: str, package: str, slots: Mapping[str, str]) -> str:
    """What ``sql/<subject>.sql`` says here and in a database's package, with its slots filled."""
    folders = [resources.files(each) for each in (__package__, package)]
    files = [folder.joinpath("sql", f"{subject}.sql") for folder in folders]
    return filled("\n".join(file.read_text() for file in files if file.is_file()), slots)

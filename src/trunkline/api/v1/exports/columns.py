"""The columns of exports that are tables, CSV and Parquet: of each field of a call, or of each part of a party."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from trunkline.api.v1.call_fields import FIELDS, CallField, CallParty
from trunkline.calls.facts import Party
from trunkline.store.ports.history import CallRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ExportColumn(NamedTuple):
    """A column: what it has of a call for Parquet, and as a text or a whole number for CSV."""

    name: str
    kind: Any
    typed: Callable[[CallRow], Any]
    flat: Callable[[CallRow], Any]


def _columns() -> Iterator[ExportColumn]:
    for field in FIELDS:
        if field.plain is Party:
            for part in CallParty.__struct_fields__:
                read = attrgetter(f"{field.name}.{part}")
                yield ExportColumn(f"{field.name}_{part}", str, read, read)
        else:
            yield _of_field(field)


def _of_field(field: CallField) -> ExportColumn:
    name, show, read = field.name, field.show, attrgetter(field.name)

    def shown(call: CallRow) -> Any:
        return show(read(call))

    if name.endswith("_at"):
        return ExportColumn(field.key, datetime, lambda call: _stamp(read(call)), shown)
    if field.plain is bool:
        return ExportColumn(field.key, bool, read, lambda call: "true" if read(call) else "false")
    if name == "tags":
        return ExportColumn(field.key, list, shown, lambda call: ",".join(read(call)))
    return ExportColumn(field.key, int if field.plain is int else str, shown, shown)


def _stamp(at: int | None) -> datetime | None:
    return None if at is None else _EPOCH + timedelta(microseconds=at)


COLUMNS = tuple(_columns())

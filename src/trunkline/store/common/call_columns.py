"""The columns of ``calls``, as the fields of a record make them.

A field is a column of its own name; a party is five, ``caller_number`` and so on; ``call_id`` is ``id``.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord

Kind = Literal["text", "number", "time", "flag"]

PARTY = Party.__struct_fields__


class Column(NamedTuple):
    """A column, and what of a record it holds. ``defaults``: what is not given is empty, or false."""

    name: str
    field: str
    kind: Kind
    nullable: bool
    defaults: bool


def _columns() -> Iterator[Column]:
    types = get_type_hints(CallRecord)
    for field in msgspec.structs.fields(CallRecord):
        if types[field.name] is Party:
            for part in _of(Party, prefix=f"{field.name}_"):
                yield part._replace(field=field.name)
        else:
            yield _column(field, types[field.name], "id" if field.name == "call_id" else None)


def _of(kind: type[msgspec.Struct], prefix: str) -> Iterator[Column]:
    types = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        yield _column(field, types[field.name], prefix + field.name)


def _column(field: Any, hint: Any, name: str | None) -> Column:
    nullable = get_origin(hint) is UnionType and NoneType in get_args(hint)
    (plain,) = (each for each in get_args(hint) if each is not NoneType) if nullable else (hint,)
    defaults = field.default is not msgspec.NODEFAULT and not nullable
    kind: Kind = "text"
    if plain is bool:
        kind = "flag"
    elif plain is int:
        kind = "time" if field.name.endswith("_at") else "number"
    return Column(name or field.encode_name, field.name, kind, nullable, defaults)


COLUMNS = tuple(_columns())
NAMES = tuple(column.name for column in COLUMNS)


def columns_of(record: CallRecord) -> dict[str, Any]:
    """What the columns hold of it, by the names of their parameters in SQL."""
    found: dict[str, Any] = {}
    for parameter, column in zip(PARAMETERS, COLUMNS, strict=True):
        value = getattr(record, column.field)
        if isinstance(value, Party):
            value = getattr(value, column.name.removeprefix(f"{column.field}_"))
        found[parameter] = value
    return found


PARAMETERS = tuple("class_" if name == "class" else name for name in NAMES)
"""The columns' names, but for those that Python has for itself."""

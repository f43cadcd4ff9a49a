"""What /v1 and exports tell of a finished call: the fields of its record, in their order, by one rule."""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from trunkline.api.v1.conventions.routing import ResponseBody, Time
from trunkline.calls.facts import Party
from trunkline.calls.times import rfc3339_or_none
from trunkline.store.ports.history import CallRow

_OURS = frozenset({"account_id", "app_id"})
"""Whose key it is knows these."""


class CallParty(ResponseBody, frozen=True, kw_only=True):
    """One side of a call."""

    number: Annotated[str, Meta(description="The number, or the SIP user name of a user's device.")]
    username: Annotated[str | None, Meta(description="Of a user; null for an outside number.")]
    name: str


class CallField(NamedTuple):
    """A field of a call: ``show`` makes of its value what is shown, ``hint`` is the type of that.

    ``plain`` is the type of the value itself. ``missing`` is shown of a call that lives and does not
    know it yet.
    """

    name: str
    key: str
    plain: Any
    hint: Any
    show: Callable[[Any], Any]
    missing: Any


def party(one: Party) -> CallParty:
    return CallParty(number=one.number, username=one.username, name=one.name)


def trunk_id(endpoint: str | None) -> str | None:
    """The trunk's id of its endpoint in Asterisk."""
    return None if endpoint is None else endpoint.removeprefix("trunk-")


_SPECIAL: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "recording": (str | None, lambda name: name or None),
    "trunk": (str | None, trunk_id),
    "tags": (list[str], list),
}


def _as_it_is(value: Any) -> Any:
    return value


def _field(field: Any, hint: Any, plain: Any) -> CallField:
    shown: Any = hint
    show: Callable[[Any], Any] = _as_it_is
    if plain is Party:
        shown, show = CallParty, party
    elif field.name.endswith("_at"):
        shown, show = (Time | None if NoneType in get_args(plain) else Time), rfc3339_or_none
    elif field.name in _SPECIAL:
        shown, show = _SPECIAL[field.name]
        shown = Annotated[shown, *meta] if (meta := getattr(hint, "__metadata__", ())) else shown
    has = field.default is not msgspec.NODEFAULT
    missing = show(field.default) if has else None
    return CallField(field.name, field.encode_name, plain, shown, show, missing)


def _fields() -> tuple[CallField, ...]:
    hints, plain = get_type_hints(CallRow, include_extras=True), get_type_hints(CallRow)
    every = msgspec.structs.fields(CallRow)
    return tuple(
        _field(one, hints[one.name], plain[one.name]) for one in every if one.name not in _OURS
    )


FIELDS = _fields()


_AS_THEY_ARE = tuple(field.name for field in FIELDS if field.show is _as_it_is)
_as_they_are = attrgetter(*_AS_THEY_ARE)
_CHANGED = [(field.name, field.show) for field in FIELDS if field.show is not _as_it_is]


def values(row: CallRow) -> dict[str, Any]:
    """All that is shown of it, by the names of the fields."""
    found = dict(zip(_AS_THEY_ARE, _as_they_are(row), strict=True))
    for name, show in _CHANGED:
        found[name] = show(getattr(row, name))
    return found


def unknown() -> dict[str, Any]:
    """The same of a call of which nothing is known yet, by the keys."""
    return {field.key: field.missing for field in FIELDS}


ShownCall: Any = msgspec.defstruct(
    "ShownCall",
    [
        (one.name, one.hint | UnsetType, msgspec.field(name=one.key, default=UNSET))
        for one in FIELDS
    ],
    bases=(ResponseBody,),
    module=__name__,
    namespace={
        "__doc__": "A finished call. All keys are there, unless `fields` named some of them."
    },
    frozen=True,
    kw_only=True,
)

KEYS = tuple(one.key for one in FIELDS)
"""Every key of a call, in order."""


def shown(row: CallRow, fields: Collection[str] = ()) -> Any:
    """The call as a ``ShownCall``, with these keys only, if any are named."""
    made = values(row)
    if fields:
        made = {name: value for name, value in made.items() if name.rstrip("_") in fields}
    return ShownCall(**made)

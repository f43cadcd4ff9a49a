"""A finished call as /v1 shows it, in lists, exports and by itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.api.v1.call_fields import FIELDS, values
from trunkline.api.v1.conventions.routing import ResponseBody
from trunkline.store.ports.history import CallRow

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

"""What every foreign row is read into: one leg, or the reason why it gives none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from trunkline.calls.record import StatusDetail

CallKind = Literal["internal", "outbound", "inbound"]

Reason = Literal[
    "row_unreadable",
    "columns_differ",
    "time_missing",
    "time_unreadable",
    "time_out_of_range",
    "duration_unreadable",
    "duration_implausible",
    "outcome_unknown",
    "party_missing",
    "already_there",
    "too_old",
]
"""Why a row, or its call, was not taken; ``moving-here.md`` explains each."""


class Skipped(msgspec.Struct, frozen=True):
    """A row that gives no leg. ``detail`` names the column and shows what stands there."""

    reason: Reason
    detail: str = ""


class Unusable(Exception):
    """A format's reader raises it where it cannot use a value."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.skipped = Skipped(reason, detail)


class Side(msgspec.Struct, frozen=True):
    """One side of a leg as the row has it.

    ``aliases`` are other names of the same phone or person, the surest first: a channel's peer, an
    internal extension. ``inside`` is None where the row does not say. ``username`` is kept as it is.
    """

    number: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    inside: bool | None = None
    username: str | None = None


class ForeignLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One row. ``call`` is what all rows of one call share; times are unix microseconds.

    ``talked`` is the length of the talk in microseconds, at the end of the leg. ``far``: somebody was dialled
    in it, so its outcome says more than that of the leg that dialled. ``call_id`` is a whole id to keep.
    """

    call: str
    started_at: int
    ended_at: int
    talked: int
    outcome: StatusDetail
    caller: Side
    callee: Side
    kind: CallKind | None = None
    did: str = ""
    cause: str = ""
    far: bool = True
    recorded: bool = False
    call_id: str | None = None


Cells = Mapping[str, Any]
"""A row by its columns' names in lower case; a column that is missing has no key."""
ReadRow = Callable[[Cells, ZoneInfo], ForeignLeg]
"""Reads a row; clock times without an offset are of that zone. Raises Unusable."""

"""A finished call as /v1 shows it, in lists, exports and by itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from trunkline.api.v1.routing import Shown, Time
from trunkline.calls.facts import Class, Direction, Party
from trunkline.calls.record import StatusDetail
from trunkline.calls.times import maybe, rfc3339
from trunkline.db.history_port import CallRow


class CallParty(Shown, frozen=True, kw_only=True):
    """One side of a call."""

    number: Annotated[str, Meta(description="The number, or the SIP user name of a user's device.")]
    username: Annotated[str | None, Meta(description="Of a user; null for an outside number.")]
    name: str


class ShownCall(Shown, frozen=True, kw_only=True):
    """A finished call. All keys are there, unless `fields` named some of them."""

    call_id: str | UnsetType = UNSET
    class_: Annotated[Class, Meta(description="Internal, or by a trunk.")] | UnsetType = (
        msgspec.field(name="class", default=UNSET)
    )
    direction: Direction | UnsetType = UNSET
    status_detail: Annotated[StatusDetail, Meta(description="The outcome.")] | UnsetType = UNSET
    hangup_cause: str | UnsetType = UNSET
    caller: CallParty | UnsetType = UNSET
    callee: CallParty | UnsetType = UNSET
    did_number: (
        Annotated[str | None, Meta(description="The dialled number of an inbound call.")]
        | UnsetType
    ) = UNSET
    started_at: Time | UnsetType = UNSET
    answered_at: Time | UnsetType | None = UNSET
    ended_at: Time | UnsetType = UNSET
    duration_seconds: int | UnsetType = UNSET
    billing_seconds: (
        Annotated[int, Meta(description="How long two people were joined.")] | UnsetType
    ) = UNSET
    ringing_seconds: int | UnsetType = UNSET
    recording: Annotated[str | None, Meta(description="The recording's name.")] | UnsetType = UNSET
    client_ref: str | UnsetType | None = UNSET
    trunk: Annotated[str | None, Meta(description="The trunk's id.")] | UnsetType = UNSET
    engine_died: bool | UnsetType = UNSET
    note: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    update: Annotated[int, Meta(description="The number of its last change.")] | UnsetType = UNSET
    hold: (
        Annotated[bool, Meta(description="On legal hold: it is not deleted, whatever its age.")]
        | UnsetType
    ) = UNSET


FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(ShownCall))
"""Every key of a call, in order."""


def values(row: CallRow) -> dict[str, Any]:
    """Every field of ``ShownCall``."""
    return {
        "call_id": row.call_id,
        "class_": row.class_,
        "direction": row.direction,
        "status_detail": row.status_detail,
        "hangup_cause": row.hangup_cause,
        "caller": party(row.caller),
        "callee": party(row.callee),
        "did_number": row.did_number,
        "started_at": rfc3339(row.started_at),
        "answered_at": maybe(row.answered_at),
        "ended_at": rfc3339(row.ended_at),
        "duration_seconds": row.duration_seconds,
        "billing_seconds": row.billing_seconds,
        "ringing_seconds": row.ringing_seconds,
        "recording": row.recording or None,
        "client_ref": row.client_ref,
        "trunk": trunk_id(row.trunk),
        "engine_died": row.engine_died,
        "note": row.note,
        "tags": list(row.tags),
        "update": row.update,
        "hold": row.hold,
    }


def shown(row: CallRow, fields: Collection[str] = ()) -> ShownCall:
    """The call, with these keys only, if any are named."""
    made = values(row)
    if fields:
        made = {name: value for name, value in made.items() if name.rstrip("_") in fields}
    return ShownCall(**made)


def party(one: Party) -> CallParty:
    """A side of a call."""
    return CallParty(number=one.number, username=one.username, name=one.name)


def trunk_id(endpoint: str | None) -> str | None:
    """The trunk's id of its endpoint in Asterisk."""
    return None if endpoint is None else endpoint.removeprefix("trunk-")

"""The public events of calls: what the fold announces, in the words of the Open API.

The payload is the Open API's (``docs/guides/events.md``): Kazoo's spelling, a key that is not known
is left out, ``Timestamp`` in whole Gregorian seconds, durations as strings.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.calls import outcome
from trunkline.calls.call import Call, Leg
from trunkline.calls.fold import Notice
from trunkline.calls.quality import USUAL, Fault, QualityLimits, Stream, faults
from trunkline.calls.times import gregorian, rfc3339, whole_seconds
from trunkline.events.payloads import KINDS, CallEnded, CallMerged, Variables
from trunkline.events.state import call_state, party
from trunkline.events.stored import Announcement
from trunkline.history.row import HistoryRow, shown

CHANNEL_EVENTS = (
    "CHANNEL_CREATE",
    "CHANNEL_PROGRESS",
    "CHANNEL_ANSWER",
    "CHANNEL_BRIDGE",
    "CHANNEL_DESTROY",
    "CHANNEL_HOLD",
    "CHANNEL_UNHOLD",
)
LEG_EVENTS = (*CHANNEL_EVENTS, "CALL_QUALITY", "CALL_REFUSED")
CALL_EVENTS = (
    *LEG_EVENTS,
    "CALL_MERGED",
    "CALL_ENDED",
    "RECORDING_READY",
    "RECORDING_FAILED",
)
DEVICE_EVENTS = ("DEVICE_ONLINE", "DEVICE_OFFLINE", "AUTH_FAILED")
TRUNK_EVENTS = ("TRUNK_UP", "TRUNK_DOWN")
WEBHOOK_EVENTS = ("WEBHOOK_SUSPENDED", "WEBHOOK_DISABLED")


class Node(msgspec.Struct, frozen=True):
    """The SIP realm, and the id of the node where the calls happen."""

    realm: str
    id: str


def told_of(call: Call, heard: Notice, limits: QualityLimits = USUAL) -> tuple[Notice, ...]:
    """All that is announced where the fold announces this: of a leg that is over, also that its audio was bad."""
    if heard.name == "CHANNEL_DESTROY" and _faults(call.legs[heard.leg_id or ""], limits):
        return heard, Notice("CALL_QUALITY", heard.leg_id, heard.at)
    return (heard,)


def announce(
    call: Call, heard: Notice, node: Node, msg_id: int, limits: QualityLimits = USUAL
) -> Announcement:
    """The public event; ``msg_id`` is a unique unix time in microseconds."""
    if heard.leg_id is None:
        about_call = _call_merged if heard.name == "CALL_MERGED" else _call_ended
        return about_call(call, heard, msg_id)
    leg = call.legs[heard.leg_id]
    said = _leg(call, leg, node) | _other_leg(call, leg)
    if heard.name == "CHANNEL_DESTROY":
        said |= _end(leg)
    elif heard.name == "CALL_QUALITY":
        said |= _quality(leg, limits)
    elif heard.name == "CALL_REFUSED":
        said |= _refusal(call, heard)
    body = KINDS[heard.name](
        timestamp=gregorian(heard.at),
        event_time=rfc3339(heard.at),
        msg_id=str(msg_id),
        custom_channel_vars=_variables(call, leg, node),
        **said,
    )
    return Announcement(
        account_id=call.account_id,
        category="call",
        name=heard.name,
        subject=leg.id,
        at=heard.at,
        body=body,
        call_id=call.id,
    )


def _leg(call: Call, leg: Leg, node: Node) -> dict[str, Any]:
    caller_name, caller_number = _caller_id(call, leg)
    callee_name, callee_number = _callee_id(call, leg)
    device = leg.endpoint_kind == "device"
    dialled = callee_number if leg.direction == "inbound" or not device else leg.endpoint
    target = f"{dialled}@{node.realm}"
    return {
        "call_id": call.id,
        "client_ref": call.client_ref or UNSET,
        "leg_id": leg.id,
        "call_direction": leg.direction,
        "caller_id_name": caller_name or UNSET,
        "caller_id_number": caller_number or UNSET,
        "callee_id_name": callee_name or UNSET,
        "callee_id_number": callee_number or UNSET,
        "from_": f"{caller_number or 'anonymous'}@{node.realm}",
        "to": target,
        "request": target,
        "presence_id": f"{leg.endpoint}@{node.realm}" if device else UNSET,
        "media_server": node.id,
        "state": call_state(call),
    }


def _caller_id(call: Call, leg: Leg) -> tuple[str | None, str | None]:
    """The name and number that this leg's phone shows, or would show."""
    if leg.direction == "inbound":
        return leg.caller_name, _own_number(leg)
    if leg.dialled_by is None and leg.shown_as:  # a click rings it
        return None, leg.shown_as
    name, number = _who_dials(call, leg)
    return name, leg.shown_as or number


def _who_dials(call: Call, leg: Leg) -> tuple[str | None, str | None]:
    """The party whose channel dials this leg: the caller or, after a transfer, whoever was sent on."""
    dialler = call.legs.get(leg.dialled_by or "") or call.caller_leg
    caller = call.caller
    if dialler is None:
        return (caller.name, caller.number) if caller else (None, None)
    if dialler.direction == "inbound":
        return dialler.caller_name, _own_number(dialler)
    if dialler.endpoint_kind == "trunk":
        return None, dialler.dialled
    return dialler.party.name, _own_number(dialler)


def _own_number(leg: Leg) -> str | None:
    """The number of its caller ID. A carrier may withhold it; its trunk's name is nobody's number."""
    if leg.caller_number or leg.endpoint_kind == "trunk":
        return leg.caller_number or None
    return leg.endpoint


def _callee_id(call: Call, leg: Leg) -> tuple[str | None, str | None]:
    if leg.direction == "inbound":
        return None, (call.dialled if leg.role == "caller" else "") or leg.dialled
    if leg.endpoint_kind == "trunk":
        return None, leg.dialled
    return leg.party.name, leg.party.number


def _other_leg(call: Call, leg: Leg) -> dict[str, Any]:
    other = call.legs.get(leg.joined_with[0]) if leg.joined_with else None
    if other is None:
        return {}
    name, number = _caller_id(call, other)
    return {
        "other_leg_id": other.id,
        "other_leg_direction": other.direction,
        "other_leg_caller_id_name": name or UNSET,
        "other_leg_caller_id_number": number or UNSET,
        "other_leg_destination_number": _callee_id(call, other)[1] or UNSET,
    }


def _end(leg: Leg) -> dict[str, Any]:
    ended = max(leg.ended_at or 0, leg.started_at)
    ringing = 0
    if leg.ringing_at is not None:
        ringing = max(0, (leg.answered_at or leg.hung_up_at or ended) - leg.ringing_at)
    return {
        "duration_seconds": str(whole_seconds(ended - leg.started_at)),
        "billing_seconds": str(whole_seconds(min(leg.talked, ended - leg.started_at))),
        "ringing_seconds": str(whole_seconds(ringing)),
        "hangup_cause": outcome.leg_cause(leg),
        "hangup_code": f"sip:{leg.sip_code}" if leg.sip_code else UNSET,
    }


def _faults(leg: Leg, limits: QualityLimits) -> tuple[Fault, ...]:
    return faults(leg.quality, limits) if leg.quality else ()


def _quality(leg: Leg, limits: QualityLimits) -> dict[str, Any]:
    found = leg.quality
    assert found is not None
    return {
        "faults": list(_faults(leg, limits)),
        "codec": found.codec,
        **_stream("received", found.received),
        **_stream("sent", found.sent),
        "round_trip": _or_unset(found.round_trip_ms),
    }


def _stream(way: str, stream: Stream) -> dict[str, Any]:
    return {
        f"{way}_packets": stream.packets,
        f"{way}_lost": _or_unset(stream.lost),
        f"{way}_loss_percent": _or_unset(stream.loss_percent),
        f"{way}_jitter": _or_unset(stream.jitter_ms),
        f"{way}_mos": _or_unset(stream.mos),
    }


def _refusal(call: Call, heard: Notice) -> dict[str, Any]:
    found = next(one for one in reversed(call.refusals) if one.at == heard.at)
    return {
        "reason": found.reason,
        "refused_number": found.number or UNSET,
        "refused_device": found.device or UNSET,
    }


def _or_unset(value: float | None) -> float | UnsetType:
    return UNSET if value is None else value


def _variables(call: Call, leg: Leg, node: Node) -> Variables:
    device = leg.party.device_id if leg.endpoint_kind == "device" else None
    return Variables(
        account_id=call.account_id,
        authorizing_id=device or UNSET,
        authorizing_type="device" if device else UNSET,
        owner_id=leg.party.user_id or UNSET,
        username=leg.party.username or UNSET,
        realm=node.realm,
        call_interaction_id=call.id,
        client_ref=call.client_ref or UNSET,
    )


def _call_merged(call: Call, heard: Notice, msg_id: int) -> Announcement:
    assert call.merged_into is not None
    body = CallMerged(
        timestamp=gregorian(heard.at),
        event_time=rfc3339(heard.at),
        msg_id=str(msg_id),
        call_id=call.id,
        client_ref=call.client_ref or UNSET,
        merged_id=call.id,
        into_call_id=call.merged_into,
        leg_call_ids=[leg.id for leg in call.legs.values() if leg.ended_at is None],
        custom_channel_vars=_call_variables(call),
        state=call_state(call),
    )
    return Announcement(
        call.account_id, "call", "CALL_MERGED", call.id, heard.at, body, call_id=call.id
    )


def _call_variables(call: Call) -> Variables:
    return Variables(
        account_id=call.account_id,
        call_interaction_id=call.id,
        client_ref=call.client_ref or UNSET,
    )


_AS_IN_HISTORY = tuple(
    name
    for name in HistoryRow.__struct_fields__
    if name not in ("caller", "callee", "call_id", "client_ref")
)


def _call_ended(call: Call, heard: Notice, msg_id: int) -> Announcement:
    record = outcome.record(call)
    told = shown(record)
    body = CallEnded(
        timestamp=gregorian(heard.at),
        event_time=rfc3339(heard.at),
        msg_id=str(msg_id),
        call_id=call.id,
        client_ref=call.client_ref or UNSET,
        ended_id=call.id,
        caller=party(record.caller),
        callee=party(record.callee),
        **{name: getattr(told, name) for name in _AS_IN_HISTORY},
        hangup_cause=record.hangup_cause,
        ringing_seconds=str(record.ringing_seconds),
        custom_channel_vars=_call_variables(call),
        state=call_state(call),
    )
    return Announcement(
        call.account_id, "call", "CALL_ENDED", call.id, heard.at, body, call_id=call.id
    )

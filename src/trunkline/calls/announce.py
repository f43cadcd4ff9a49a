"""The public events: what of the fold is told to the world, and in which words.

The payload is the Open API's (``docs/guides/events.md``): Kazoo's spelling, a key that is not known
is left out, ``Timestamp`` in whole Gregorian seconds, durations as strings.
"""

from __future__ import annotations

from typing import Any

import msgspec

from trunkline.calls import outcome
from trunkline.calls.call import Call, Leg
from trunkline.calls.fold import Heard
from trunkline.calls.record import Announcement, shown

GREGORIAN = 62_167_219_200
"""Seconds from year 0 to 1970: what Erlang, and so Kazoo, counts from."""

CHANNEL_EVENTS = (
    "CHANNEL_CREATE",
    "CHANNEL_PROGRESS",
    "CHANNEL_ANSWER",
    "CHANNEL_BRIDGE",
    "CHANNEL_DESTROY",
    "CHANNEL_HOLD",
    "CHANNEL_UNHOLD",
)
CALL_EVENTS = (*CHANNEL_EVENTS, "CALL_ENDED", "RECORDING_READY", "RECORDING_FAILED")
DEVICE_EVENTS = ("DEVICE_ONLINE", "DEVICE_OFFLINE")

_SECOND = 1_000_000


class Place(msgspec.Struct, frozen=True):
    """Where calls happen: the SIP realm and the switch's name."""

    realm: str
    media_server: str


def announce(call: Call, heard: Heard, place: Place, msg_id: int) -> Announcement:
    """The public event; ``msg_id`` is a unique unix time in microseconds."""
    if heard.leg_id is None:
        return _call_ended(call, heard, msg_id)
    leg = call.legs[heard.leg_id]
    body = _head("call_event", heard.name, heard.at, msg_id)
    body |= _leg(call, leg, place) | _other_leg(call, leg)
    if heard.name == "CHANNEL_DESTROY":
        body |= _end(leg)
    body["Custom-Channel-Vars"] = _variables(call, leg, place)
    return Announcement(
        account_id=call.account_id,
        category="call",
        name=heard.name,
        subject=leg.id,
        at=heard.at,
        body=_known(body),
        call_id=call.id,
    )


def device_state(
    account_id: str,
    device_id: str,
    sip_user: str,
    username: str | None,
    online: bool,
    at: int,
    msg_id: int,
) -> Announcement:
    """DEVICE_ONLINE or DEVICE_OFFLINE; its subject is the device's SIP user name."""
    name = "DEVICE_ONLINE" if online else "DEVICE_OFFLINE"
    body = _head("device_event", name, at, msg_id)
    body |= {
        "Device": sip_user,
        "Device-State": "online" if online else "offline",
        "Custom-Channel-Vars": {
            "Account-ID": account_id,
            "Authorizing-ID": device_id,
            "Authorizing-Type": "device",
            "Username": username,
        },
    }
    return Announcement(account_id, "device", name, sip_user, at, _known(body))


def _head(category: str, name: str, at: int, msg_id: int) -> dict[str, Any]:
    return {
        "Event-Category": category,
        "Event-Name": name,
        "Timestamp": at // _SECOND + GREGORIAN,
        "Msg-ID": str(msg_id),
    }


def _leg(call: Call, leg: Leg, place: Place) -> dict[str, Any]:
    caller_name, caller_number = _caller_id(call, leg)
    callee_name, callee_number = _callee_id(call, leg)
    target = (
        callee_number
        if leg.direction == "inbound" or leg.endpoint_kind == "trunk"
        else leg.endpoint
    )
    return {
        "Call-ID": leg.id,
        "Call-Direction": leg.direction,
        "Caller-ID-Name": caller_name,
        "Caller-ID-Number": caller_number,
        "Callee-ID-Name": callee_name,
        "Callee-ID-Number": callee_number,
        "From": f"{caller_number or 'anonymous'}@{place.realm}",
        "To": f"{target}@{place.realm}",
        "Request": f"{target}@{place.realm}",
        "Presence-ID": f"{leg.endpoint}@{place.realm}" if leg.endpoint_kind == "device" else None,
        "Media-Server": place.media_server,
    }


def _caller_id(call: Call, leg: Leg) -> tuple[str | None, str | None]:
    """What this leg's phone shows, or would: (name, number)."""
    if leg.direction == "inbound":
        return leg.caller_name or None, leg.caller_number or leg.endpoint
    if call.origin == "click" and call.first_leg is not None and leg.id == call.first_leg.id:
        return None, call.dialled
    if leg.endpoint_kind == "trunk" and call.shown_as:
        return (call.caller.name or None) if call.caller else None, call.shown_as
    first = call.first_leg
    if call.origin != "click" and first is not None:
        return first.caller_name or None, first.caller_number or first.endpoint
    caller = call.caller
    return (caller.name or None, caller.number) if caller else (None, None)


def _callee_id(call: Call, leg: Leg) -> tuple[str | None, str | None]:
    if leg.direction == "inbound":
        return None, call.dialled or leg.dialled
    if leg.endpoint_kind == "trunk":
        return None, leg.dialled
    return leg.party.name or None, leg.party.number


def _other_leg(call: Call, leg: Leg) -> dict[str, Any]:
    other = call.legs.get(leg.joined_with) if leg.joined_with else None
    if other is None:
        return {}
    name, number = _caller_id(call, other)
    return {
        "Other-Leg-Call-ID": other.id,
        "Other-Leg-Direction": other.direction,
        "Other-Leg-Caller-ID-Name": name,
        "Other-Leg-Caller-ID-Number": number,
        "Other-Leg-Destination-Number": _callee_id(call, other)[1],
    }


def _end(leg: Leg) -> dict[str, Any]:
    ended = max(leg.ended_at or 0, leg.started_at)
    ringing = 0
    if leg.ringing_at is not None:
        ringing = max(0, (leg.answered_at or leg.hung_up_at or ended) - leg.ringing_at)
    return {
        "Duration-Seconds": _seconds(ended - leg.started_at),
        "Billing-Seconds": _seconds(min(leg.talked, ended - leg.started_at)),
        "Ringing-Seconds": _seconds(ringing),
        "Hangup-Cause": outcome.leg_cause(leg),
        "Hangup-Code": f"sip:{leg.sip_code}" if leg.sip_code else None,
    }


def _variables(call: Call, leg: Leg, place: Place) -> dict[str, Any]:
    device = leg.endpoint_kind == "device"
    return _known(
        {
            "Account-ID": call.account_id,
            "Authorizing-ID": leg.party.device_id if device else None,
            "Authorizing-Type": "device" if device and leg.party.device_id else None,
            "Owner-ID": leg.party.user_id,
            "Username": leg.party.username,
            "Realm": place.realm,
            "Call-Interaction-ID": call.id,
            "Client-Ref": call.client_ref,
        }
    )


def _call_ended(call: Call, heard: Heard, msg_id: int) -> Announcement:
    record = outcome.record(call)
    body = _head("call_event", "CALL_ENDED", heard.at, msg_id)
    body |= {"Call-ID": call.id, **msgspec.to_builtins(shown(record))}
    body |= {"Hangup-Cause": record.hangup_cause, "Ringing-Seconds": str(record.ringing_seconds)}
    body["Custom-Channel-Vars"] = _known(
        {
            "Account-ID": call.account_id,
            "Call-Interaction-ID": call.id,
            "Client-Ref": call.client_ref,
        }
    )
    return Announcement(
        call.account_id, "call", "CALL_ENDED", call.id, heard.at, body, call_id=call.id
    )


def _known(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def _seconds(microseconds: int) -> str:
    return str(-(-microseconds // _SECOND))

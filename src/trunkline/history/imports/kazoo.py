"""Kazoo: call detail records as Crossbar's ``/cdrs`` gives them, CSV or JSON; a row for each leg.

``direction`` is the leg's, seen from the switch: a call begins with an inbound leg, from a device or
a carrier, and each phone or carrier that it dials is an outbound leg. ``timestamp`` is the leg's
start in some versions and its end in others. The first part of ``interaction_id``, the call's start in
Gregorian seconds, tells which.
"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from trunkline.calls.record import StatusDetail
from trunkline.calls.times import GREGORIAN, SECOND
from trunkline.history.imports.causes import cause_name, unanswered
from trunkline.history.imports.leg import CallKind, Cells, ForeignLeg, Side, Unusable
from trunkline.history.imports.values import duration, present, sip_user, stamp, text

_GREGORIAN_DIGITS = 11


def read(cells: Cells, zone: ZoneInfo) -> ForeignLeg:
    """One leg of a listing, or one whole document; raises Unusable."""
    cells = _with_variables(cells)
    lasted = duration(cells, "duration_seconds") or 0
    billed = min(duration(cells, "billing_seconds") or 0, lasted)
    started_at = _start(cells, zone, lasted)
    cause = cause_name(text(cells, "hangup_cause"))
    far = text(cells, "direction", "call_direction").lower() == "outbound"
    kind = None if far else _kind(cells)
    return ForeignLeg(
        call=_call(cells, started_at),
        started_at=started_at,
        ended_at=started_at + lasted,
        talked=billed,
        outcome=_outcome(cells, billed, cause, far),
        caller=_caller(cells, kind),
        callee=_callee(cells),
        kind=kind,
        did=_dialled(cells) if kind == "inbound" else "",
        cause=cause,
        far=far,
        recorded=bool(text(cells, "recording_url") or cells.get("media_recordings")),
    )


def _with_variables(cells: Cells) -> Cells:
    """A whole document has the account's variables in an object of their own."""
    variables = cells.get("custom_channel_vars")
    if not isinstance(variables, Mapping):
        return cells
    named = {"call_interaction_id": "interaction_id"}
    return {**{named.get(str(key), str(key)): variables[key] for key in variables}, **cells}


def _start(cells: Cells, zone: ZoneInfo, lasted: int) -> int:
    names = ("unix_timestamp", "timestamp", "iso_8601_combined", "rfc_1036")
    moments = present(stamp(cells, zone, *names), *names).moments
    began = _interaction_start(cells)
    if began is None:
        return moments[0]
    either = (at for each in moments for at in (each, each - lasted))
    return min(either, key=lambda at: abs(at - began))


def _interaction_start(cells: Cells) -> int | None:
    stamp = text(cells, "interaction_id").partition("-")[0]
    if len(stamp) == _GREGORIAN_DIGITS and stamp.isascii() and stamp.isdigit():
        return (int(stamp) - GREGORIAN) * SECOND
    return None


def _call(cells: Cells, started_at: int) -> str:
    shared = text(cells, "interaction_id", "bridge_id", "call_id", "id")
    return shared or f"{started_at} {text(cells, 'from')} {text(cells, 'to')}"


def _outcome(cells: Cells, billed: int, cause: str, far: bool) -> StatusDetail:
    """An answered leg that was joined to nobody was answered by the system."""
    if not billed:
        return unanswered(cause)
    return "SUCCESS" if far or text(cells, "other_leg_call_id") else "IVR"


def _kind(cells: Cells) -> CallKind | None:
    """A carrier began the call if its first leg is nobody's. The numbers tell inside from outside."""
    authorized = text(cells, "authorizing_type").lower()
    if authorized in ("resource", "sys_info", "trunkstore"):
        return "inbound"
    return None if text(cells, "owner_id", "authorizing_id", "username") else "inbound"


def _dialled(cells: Cells) -> str:
    return text(cells, "dialed_number") or sip_user(text(cells, "request", "to"))


def _caller(cells: Cells, kind: CallKind | None) -> Side:
    number = text(cells, "caller_id_number") or sip_user(text(cells, "from"))
    inside = False if kind == "inbound" else (True if text(cells, "owner_id") else None)
    own = (text(cells, "username", "presence_id"), text(cells, "from"), text(cells, "calling_from"))
    aliases = () if kind == "inbound" else tuple(sip_user(each) for each in own)
    if not number:
        raise Unusable("party_missing", "caller_id_number and from are empty")
    return Side(number, text(cells, "caller_id_name"), aliases, inside)


def _callee(cells: Cells) -> Side:
    number = text(cells, "callee_id_number") or _dialled(cells)
    return Side(number, text(cells, "callee_id_name"), (sip_user(text(cells, "to")),))

"""FusionPBX: rows of ``v_xml_cdr``, one for each leg that it was set to keep."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from trunkline.calls.record import StatusDetail
from trunkline.history.imports.causes import cause_name, unanswered
from trunkline.history.imports.leg import CallKind, Cells, ForeignLeg, Side
from trunkline.history.imports.values import duration, present, span, stamp, text

_KINDS: dict[str, CallKind] = {"inbound": "inbound", "outbound": "outbound", "local": "internal"}
_TRUE = frozenset({"true", "t", "1", "yes"})
_SYSTEM = frozenset({
    "voicemail", "playback", "ivr", "say", "phrase", "play_and_get_digits", "conference", "record",
    "park", "echo", "lua", "read",
})  # fmt: skip
_STATUS: dict[str, StatusDetail] = {
    "busy": "BUSY", "cancelled": "CANCELLED", "no_answer": "UNSUCCESS", "failed": "UNSUCCESS",
    "missed": "UNSUCCESS", "voicemail": "IVR",
}  # fmt: skip


def read(cells: Cells, zone: ZoneInfo) -> ForeignLeg:
    """One row of the table, its export or its API; raises Unusable."""
    starts = ("start_epoch", "start_stamp")
    started_at, ended_at = span(
        present(stamp(cells, zone, *starts), *starts),
        stamp(cells, zone, "end_epoch", "end_stamp"),
        duration(cells, "duration"),
    )
    billed = min(duration(cells, "billsec") or 0, ended_at - started_at)
    cause = cause_name(text(cells, "hangup_cause") or text(cells, "hangup_cause_q850"))
    outcome = _outcome(cells, billed, cause)
    far = text(cells, "leg").lower() == "b"  # its direction is the leg's, not the call's
    kind = None if far else _KINDS.get(text(cells, "direction", "call_direction").lower())
    return ForeignLeg(
        call=_call(cells, far, started_at),
        started_at=started_at,
        ended_at=ended_at,
        talked=billed if outcome == "SUCCESS" else 0,
        outcome=outcome,
        caller=_caller(cells, kind),
        callee=_callee(cells, kind),
        kind=kind,
        did=text(cells, "caller_destination") if kind == "inbound" else "",
        cause=cause,
        far=far,
        recorded=bool(text(cells, "record_name", "recording_file")),
    )


def _call(cells: Cells, far: bool, started_at: int) -> str:
    """A far leg names the leg that dialled it."""
    own = text(cells, "xml_cdr_uuid", "uuid")
    dialled_by = text(cells, "originating_leg_uuid")
    if far and not dialled_by:
        dialled_by = text(cells, "bridge_uuid")
    return dialled_by or own or f"{started_at} {text(cells, 'caller_id_number')}"


def _outcome(cells: Cells, billed: int, cause: str) -> StatusDetail:
    said = _STATUS.get(text(cells, "status", "call_status").lower())
    if said is not None:
        return said
    if not billed:
        return unanswered(cause)
    missed = text(cells, "missed_call").lower() in _TRUE
    by_system = text(cells, "last_app").lower() in _SYSTEM and not text(cells, "bridge_uuid")
    if missed or by_system or text(cells, "voicemail_message").lower() in _TRUE:
        return "IVR"
    return "SUCCESS"


def _caller(cells: Cells, kind: CallKind | None) -> Side:
    inside = {"inbound": False, "outbound": True, "internal": True}.get(kind or "")
    return Side(
        number=text(cells, "caller_id_number", "source_number"),
        name=text(cells, "caller_id_name"),
        aliases=(text(cells, "source_number"), text(cells, "extension")) if inside else (),
        inside=inside,
    )


def _callee(cells: Cells, kind: CallKind | None) -> Side:
    inside = False if kind == "outbound" else (True if kind == "internal" else None)
    aliases = (text(cells, "extension"),) if kind == "inbound" else ()
    return Side(text(cells, "destination_number"), aliases=aliases, inside=inside)

"""Wazo: ``GET /cdr`` of wazo-call-logd, CSV or JSON; one row for each call. ``duration`` is the talk."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from trunkline.calls.record import StatusDetail
from trunkline.history.imports.leg import CallKind, Cells, ForeignLeg, Side, Unusable
from trunkline.history.imports.values import Stamp, duration, present, span, stamp, text

_KINDS: dict[str, CallKind] = {"internal": "internal", "inbound": "inbound", "outbound": "outbound"}


def read(cells: Cells, zone: ZoneInfo) -> ForeignLeg:
    """One call; raises Unusable."""
    started_at, ended_at = span(
        present(stamp(cells, zone, "start"), "start"),
        stamp(cells, zone, "end"),
        duration(cells, "duration"),
    )
    answered_at = _answered_at(stamp(cells, zone, "answer"), started_at, ended_at)
    talked = 0 if answered_at is None else max(0, ended_at - max(answered_at, started_at))
    kind = _KINDS.get(text(cells, "call_direction").lower())
    own = text(cells, "id")
    caller = _source(cells)
    return ForeignLeg(
        call=f"{text(cells, 'tenant_uuid')} {own}" if own else f"{started_at} {caller.number}",
        started_at=started_at,
        ended_at=ended_at,
        talked=talked,
        outcome=_outcome(cells, answered_at is not None),
        caller=caller,
        callee=_destination(cells, kind),
        kind=kind,
        did=text(cells, "requested_extension") if kind == "inbound" else "",
        recorded=bool(cells.get("recordings")),
    )


def _answered_at(answer: Stamp | None, started_at: int, ended_at: int) -> int | None:
    """The moment that lies within the call, where one does."""
    if answer is None:
        return None
    return next((at for at in answer.moments if started_at <= at <= ended_at), answer.moments[0])


def _outcome(cells: Cells, answered: bool) -> StatusDetail:
    if text(cells, "call_status").lower() == "blocked":
        return "UNSUCCESS"
    return "SUCCESS" if answered else "UNSUCCESS"


def _source(cells: Cells) -> Side:
    inside = text(cells, "source_internal_extension")
    number = text(cells, "source_extension") or inside
    if not number and not text(cells, "source_name"):
        raise Unusable("party_missing", "source_extension and source_name are empty")
    name = text(cells, "source_internal_name", "source_name")
    return Side(number, name, (inside,) if inside else (), True if inside else None)


def _destination(cells: Cells, kind: CallKind | None) -> Side:
    inside = text(cells, "destination_internal_extension")
    number = text(cells, "destination_extension", "requested_extension")
    aliases = (inside,) if inside and kind != "outbound" else ()
    return Side(
        number, text(cells, "destination_name"), aliases, False if kind == "outbound" else None
    )

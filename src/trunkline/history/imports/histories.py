"""The Open API's own ``GET /oapi/v1/call/histories`` in JSON, from another Trunkline or another vendor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args
from zoneinfo import ZoneInfo

from trunkline.calls.record import StatusDetail
from trunkline.history.imports.leg import CallKind, Cells, ForeignLeg, Side, Unusable
from trunkline.history.imports.values import clean, duration, moment, shown, text

_CALL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,79}")


def read(cells: Cells, zone: ZoneInfo) -> ForeignLeg:
    """One record, which keeps its ``call_id`` if it has one. Raises Unusable."""
    started_at = moment(cells, zone, "unix_timestamp")
    lasted = duration(cells, "duration_seconds") or 0
    talked = min(duration(cells, "billing_seconds") or 0, lasted)
    outcome = _outcome(text(cells, "status_detail"))
    caller, callee = _party(cells.get("caller")), _party(cells.get("callee"))
    own = text(cells, "call_id")
    content = (started_at, lasted, talked, outcome, caller.number, callee.number)
    return ForeignLeg(
        call=own or " ".join(map(str, content)),
        started_at=started_at,
        ended_at=started_at + lasted,
        talked=talked if outcome == "SUCCESS" else 0,
        outcome=outcome,
        caller=caller,
        callee=callee,
        kind=_kind(cells),
        did=text(cells, "did_number"),
        recorded=bool(text(cells, "recording")),
        call_id=own if _CALL_ID.fullmatch(own) else None,
    )


def _outcome(said: str) -> StatusDetail:
    for status in get_args(StatusDetail):
        if said.upper() == status:
            known: StatusDetail = status
            return known
    raise Unusable("outcome_unknown", shown("status_detail", said))


def _party(party: Any) -> Side:
    if not isinstance(party, Mapping):
        raise Unusable("party_missing", "caller and callee are objects with a number")
    username = clean(party.get("username"))
    number = clean(party.get("number")) or username
    if not number:
        raise Unusable("party_missing", "a party has no number")
    user = party.get("type") == "user"
    return Side(
        number, "", (username,) if user else (), user, username if user and username else None
    )


def _kind(cells: Cells) -> CallKind:
    if text(cells, "class") == "one_one":
        return "internal"
    return "inbound" if text(cells, "direction") == "to_ab" else "outbound"

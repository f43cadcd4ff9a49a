"""Asterisk's own call detail records, as ``cdr_csv`` and ``cdr_custom`` write them.

A call has a row for each pair of channels. Its rows share ``linkedid`` or, where that is not logged,
``uniqueid``. The number of columns tells which optional ones there are, and the place of the disposition
tells which of the two modules wrote them (Asterisk's ``cdr/cdr_csv.c``, ``cdr_custom.conf.sample``).
``billsec`` begins when the channel was answered, even if only a menu answered it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from trunkline.calls.record import StatusDetail
from trunkline.history.imports.leg import CallKind, Cells, ForeignLeg, Side, Unusable
from trunkline.history.imports.values import (
    caller_id,
    duration,
    peer,
    present,
    shown,
    span,
    stamp,
    text,
)

_MIDDLE = ("dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata")
_TIMES = ("start", "answer", "end", "duration", "billsec", "disposition", "amaflags")
_BASE = ("accountcode", "src", "dst", *_MIDDLE, *_TIMES)
_NEW = ("peeraccount", "linkedid", "sequence")
_CUSTOM = ("clid", "src", "dst", "dcontext", *_MIDDLE[2:], *_TIMES, "accountcode")
_UNIQUE_ID = re.compile(r"(.+-)?[0-9]{9,11}\.[0-9]+")

OUTCOMES: dict[str, StatusDetail] = {
    "ANSWERED": "SUCCESS",
    "BUSY": "BUSY",
    "NO ANSWER": "UNSUCCESS",
    "FAILED": "UNSUCCESS",
    "CONGESTION": "UNSUCCESS",
}
_CAUSES = {"FAILED": "NORMAL_TEMPORARY_FAILURE", "CONGESTION": "SWITCH_CONGESTION"}
_FROM_OUTSIDE = re.compile(
    r"from-(trunk|pstn|did|outside|external|extern|carrier|provider|sip-external)|"
    r"incoming|inbound|ext-did"
)
_NOBODY = frozenset({"", "s", "h", "t", "i", "o", "a", "e", "failed", "hangup"})
"""Extensions of the dialplan that are not a number."""
_LONGEST_INSIDE = 6


def columns(cells: Sequence[str]) -> tuple[str, ...] | None:
    """The columns' names of a file without a header, told from one of its rows; None if that is not a CDR."""
    n = len(cells)
    if 16 <= n <= 21 and cells[14].strip().upper() in OUTCOMES:
        return _BASE + _optional(cells[16:])
    if 16 <= n <= 21 and cells[13].strip().upper() in OUTCOMES:
        return _CUSTOM + _optional(cells[16:])
    return None


def _optional(more: Sequence[str]) -> tuple[str, ...]:
    new = _NEW if len(more) >= 3 else ()
    own = len(more) - len(new)
    if own == 2:
        return ("uniqueid", "userfield", *new)
    if own == 1:
        return ("uniqueid" if _UNIQUE_ID.fullmatch(more[0].strip()) else "userfield", *new)
    return new


def read(cells: Cells, zone: ZoneInfo) -> ForeignLeg:
    """One row, of ``cdr_csv``, ``cdr_custom`` or a table of the same columns; raises Unusable."""
    lasted, billed = duration(cells, "duration"), duration(cells, "billsec") or 0
    starts = ("start", "calldate")
    started_at, ended_at = span(
        present(stamp(cells, zone, *starts), *starts), stamp(cells, zone, "end"), lasted
    )
    disposition = text(cells, "disposition").upper()
    outcome = _outcome(cells, disposition)
    kind = _kind(cells)
    return ForeignLeg(
        call=_call(cells, started_at),
        started_at=started_at,
        ended_at=ended_at,
        talked=min(billed, ended_at - started_at) if outcome == "SUCCESS" else 0,
        outcome=outcome,
        caller=_caller(cells, kind),
        callee=_callee(cells, kind),
        kind=kind,
        did=_did(cells, kind),
        cause=_CAUSES.get(disposition, ""),
        recorded=bool(text(cells, "recordingfile")),
    )


def _outcome(cells: Cells, disposition: str) -> StatusDetail:
    """An answer with nobody at the far end came from a menu, a queue or a voicemail."""
    if disposition not in OUTCOMES:
        raise Unusable("outcome_unknown", shown("disposition", disposition))
    outcome = OUTCOMES[disposition]
    return "IVR" if outcome == "SUCCESS" and not text(cells, "dstchannel") else outcome


def _call(cells: Cells, started_at: int) -> str:
    shared = text(cells, "linkedid", "uniqueid")
    return shared or f"{started_at} {text(cells, 'channel')} {text(cells, 'src')}"


def _kind(cells: Cells) -> CallKind | None:
    """Only what the row says for sure; the numbers tell the rest."""
    if text(cells, "did") or _FROM_OUTSIDE.search(text(cells, "dcontext").lower()):
        return "inbound"
    return "outbound" if text(cells, "outbound_cnum") else None


def _did(cells: Cells, kind: CallKind | None) -> str:
    """A short number is the group or the extension to which the DID led."""
    dialled = _dialled(cells) if kind == "inbound" else ""
    return text(cells, "did") or (dialled if len(dialled) > _LONGEST_INSIDE else "")


def _dialled(cells: Cells) -> str:
    dst = text(cells, "dst")
    return "" if dst in _NOBODY else dst


def _caller(cells: Cells, kind: CallKind | None) -> Side:
    name, number = caller_id(text(cells, "clid"))
    aliases = (peer(text(cells, "channel")), text(cells, "cnum"))
    return Side(
        number=text(cells, "src") or text(cells, "cnum") or number,
        name=text(cells, "cnam") or name,
        aliases=() if kind == "inbound" else aliases,
        inside=False if kind == "inbound" else None,
    )


def _callee(cells: Cells, kind: CallKind | None) -> Side:
    dialled, far = _dialled(cells), peer(text(cells, "dstchannel"))
    return Side(
        number=dialled or text(cells, "did") or far or text(cells, "dst"),
        name=text(cells, "dst_cnam"),
        aliases=() if kind == "outbound" else (far,),
        inside=False if kind == "outbound" else None,
    )

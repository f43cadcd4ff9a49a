"""The one record that all rows of a foreign call make.

The rules are those of ``calls/outcome.py`` and ``docs/guides/history.md``: one call is one record,
the callee is the first person who answered, and two people were joined for as long as any answered leg
says. What a foreign row cannot tell (who hung up first) is not guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from trunkline.calls.facts import Class, Direction, Party
from trunkline.calls.record import CallRecord, StatusDetail
from trunkline.calls.times import whole_seconds
from trunkline.history.imports.causes import DEFAULTS
from trunkline.history.imports.leg import CallKind, ForeignLeg
from trunkline.history.imports.people import People

_SHAPES: dict[CallKind, tuple[Class, Direction]] = {
    "internal": ("one_one", "from_ab"),
    "outbound": ("trunking", "from_ab"),
    "inbound": ("trunking", "to_ab"),
}


def import_id(form: str, account_id: str, call: str) -> str:
    """The same call of the same account always gets the same id, whenever it is imported."""
    digest = hashlib.sha256(f"{account_id}\0{call}".encode()).hexdigest()
    return f"import-{form}-{digest[:32]}"


def fold(legs: Sequence[ForeignLeg], people: People, account_id: str, form: str) -> CallRecord:
    """The record of a call from its legs, at least one, in the order of the file."""
    legs = sorted(legs, key=lambda leg: leg.started_at)
    first = legs[0]
    answered = _answered(legs)
    caller, caller_inside = people.settle(first.caller)
    callee, callee_inside = people.settle((answered[0] if answered else first).callee)
    kind = _kind(legs, caller_inside, callee_inside)
    status = _status(legs, kind, bool(answered))
    ended_at = max(leg.ended_at for leg in legs)
    class_, direction = _SHAPES[kind]
    decisive = answered[0] if answered else _last_far(legs)
    return CallRecord(
        call_id=first.call_id or import_id(form, account_id, first.call),
        account_id=account_id,
        caller=_named(caller, "anonymous"),
        callee=_named(callee, "unknown"),
        class_=class_,
        direction=direction,
        did_number=_did(legs, kind),
        status_detail=status,
        started_at=first.started_at,
        answered_at=_joined_at(answered[0]) if answered else None,
        ended_at=ended_at,
        duration_seconds=whole_seconds(ended_at - first.started_at),
        billing_seconds=whole_seconds(_talked(answered)),
        ringing_seconds=whole_seconds(_ringing(answered)),
        hangup_cause=decisive.cause or DEFAULTS[status],
    )


def _answered(legs: Sequence[ForeignLeg]) -> list[ForeignLeg]:
    """The legs in which people talked, the first answer first; of the dialled legs alone, where one was answered."""
    talking = [leg for leg in legs if leg.outcome == "SUCCESS"]
    far = [leg for leg in talking if leg.far]
    return sorted(far or talking, key=_joined_at)


def _joined_at(leg: ForeignLeg) -> int:
    return leg.ended_at - leg.talked


def _kind(legs: Sequence[ForeignLeg], caller_inside: bool, callee_inside: bool) -> CallKind:
    """What a row says, else what the two numbers tell."""
    for leg in legs:
        if leg.kind is not None:
            return leg.kind
    if not caller_inside:
        return "inbound"
    return "internal" if callee_inside else "outbound"


def _status(legs: Sequence[ForeignLeg], kind: CallKind, answered: bool) -> StatusDetail:
    if answered:
        return "SUCCESS"
    if any(leg.outcome == "IVR" for leg in legs):
        return "IVR"
    outcomes = {leg.outcome for leg in legs if leg.far} or {leg.outcome for leg in legs}
    if outcomes == {"BUSY"}:
        return "BUSY"
    if kind != "inbound" and "CANCELLED" in {leg.outcome for leg in legs}:
        return "CANCELLED"
    return "UNSUCCESS"


def _last_far(legs: Sequence[ForeignLeg]) -> ForeignLeg:
    """The leg that was dialled last, without phones that were slower than another one: they say nothing."""
    dialled = (leg for leg in reversed(legs) if leg.far and leg.cause != "LOSE_RACE")
    return next(dialled, legs[0])


def _did(legs: Sequence[ForeignLeg], kind: CallKind) -> str | None:
    if kind != "inbound":
        return None
    return next((leg.did for leg in legs if leg.did), None)


def _talked(answered: Sequence[ForeignLeg]) -> int:
    """Microseconds in which at least one of the legs was answered."""
    talked = until = 0
    for leg in answered:  # by their beginnings
        talked += max(0, leg.ended_at - max(until, _joined_at(leg)))
        until = max(until, leg.ended_at)
    return talked


def _ringing(answered: Sequence[ForeignLeg]) -> int:
    return _joined_at(answered[0]) - answered[0].started_at if answered else 0


def _named(party: Party, otherwise: str) -> Party:
    """A caller who withheld the number is somebody, too."""
    return party if party.number else Party(otherwise, name=party.name)

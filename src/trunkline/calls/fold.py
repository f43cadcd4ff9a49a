"""fold(call, fact) -> what the call is now, and what is to be announced of it.

A call is never changed in any other way. The theory:

* A call begins with a ``CallRequested`` (click-to-call) or with its first ``LegStarted``, whose leg is the
  caller's. A fact of a call that has not begun, or is over, changes nothing.
* Every transition is idempotent: facts of one leg come in the order of their time, so a fact that
  is not newer than what it would change is a repeat. Hence a log may be taken in again from any
  earlier place, and a call folded from all of its facts equals the live one.
* Two people talk while two legs of the call are in one bridge. What each transition costs does not
  grow with the number of calls, only with the legs of this one.
* Where legs of two calls meet, one call goes on and takes in the legs of the other (``merging.py`` says
  which). The other one is over at that moment: it keeps what it was, and its legs end in the first.
  A conference's bridge alone makes no calls one (``conferences.py``).
* A call is over when all its legs are. ``EngineDied`` closes legs that never said that they ended.

Outside facts        Leg                         Call
-------------        ---                         ----
CallRequested                                    begins (click)
LegStarted           begins                      begins, or gets one more leg
RouteChosen                                      learns class, direction, callee; its first step
StepEntered, StepLeft                            goes on to a further step
CallRefused                                      was refused, there
LegRinging           rings
LegAnswered          is up
LegJoined            is in a bridge              talks, from two legs on
LegLeft              is in none                  talks no more, below two
LegAccompanied       is not alone in a room      talks
LegLeftAlone         is alone in a room          talks no more, with its last leg
LegHeld, LegUnheld   holds
LegPickedUp          another answered for it
LegFellSilent        talks no more, since     talks no more, below two
LegMeasured          has its quality
LegHungUp            has its cause
LegEnded             is over                     is over with its last leg
CallMerged           the other call's legs join
CallAbsorbed                                     is over, its legs live on
EngineDied           are over                    is over
CallEnded                                        is over, if it has no leg that lives
RequestWithdrawn                                 never was
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from trunkline.calls import facts as f
from trunkline.calls import talk
from trunkline.calls.call import Call, Leg, Role, Step
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.quality import quality
from trunkline.calls.refusals import Refusal
from trunkline.calls.talk import with_leg
from trunkline.calls.times import SECOND

replace = msgspec.structs.replace


class Notice(NamedTuple):
    """Something to announce: the public event's name, and the leg that it is about (or the call)."""

    name: str
    leg_id: str | None
    at: int


class Folded(NamedTuple):
    call: Call | None
    heard: tuple[Notice, ...] = ()


def fold(call: Call | None, fact: AnyFact) -> Folded:
    """Take one fact in. Never raises: a fact that does not fit changes nothing."""
    if call is None:
        begin = _BEGINNINGS.get(type(fact))
        return begin(fact) if begin else Folded(None)
    if call.over:
        return Folded(call)
    return _TRANSITIONS[type(fact)](call, fact)


def refold(facts: list[AnyFact]) -> Call | None:
    call: Call | None = None
    for fact in facts:
        call = fold(call, fact).call
    return call


def _requested(fact: f.CallRequested) -> Folded:
    return Folded(
        Call(
            id=fact.call_id,
            account_id=fact.account_id,
            origin="click",
            started_at=fact.at,
            class_=fact.class_,
            direction="from_ab",
            caller=fact.caller,
            callee=fact.callee,
            dialled=fact.dialled,
            dialling=fact.dialled,
            shown_as=fact.shown_as,
            recording=fact.recording,
            client_ref=fact.client_ref,
            app_id=fact.app_id,
            clock=fact.clock,
        )
    )


def _began(fact: f.LegStarted) -> Folded:
    from_trunk = fact.endpoint_kind == "trunk"
    call = Call(
        id=fact.call_id,
        account_id=fact.account_id,
        origin="trunk" if from_trunk else "device",
        started_at=fact.at,
        direction="to_ab" if from_trunk else "from_ab",
        caller=fact.party or Party(number=fact.caller_number, name=fact.caller_name),
        dialled=fact.dialled,
        dialling=fact.dialled,
        clock=fact.clock,
    )
    return _leg_started(call, fact)


def _leg_started(call: Call, fact: f.LegStarted) -> Folded:
    if fact.leg_id in call.legs:
        return Folded(call)
    role = _role(call, fact)
    leg = Leg(
        id=fact.leg_id,
        role=role,
        dialled_by=_dialler(call) if role == "dialled" else None,
        direction=fact.direction,
        endpoint=fact.endpoint,
        endpoint_kind=fact.endpoint_kind,
        party=fact.party or Party(number=fact.caller_number, name=fact.caller_name),
        caller_number=fact.caller_number,
        caller_name=fact.caller_name,
        dialled=fact.dialled or (call.dialling if fact.endpoint_kind == "trunk" else ""),
        shown_as=_shown_as(call, fact, role),
        started_at=fact.at,
    )
    return Folded(with_leg(call, leg), (Notice("CHANNEL_CREATE", leg.id, fact.at),))


def _role(call: Call, fact: f.LegStarted) -> Role:
    if not call.legs:
        return "caller"
    return "dialled" if fact.direction == "outbound" else "member"


def _shown_as(call: Call, fact: f.LegStarted, role: Role) -> str:
    if role == "caller" and call.origin == "click":
        return call.dialled
    return call.shown_as if role == "dialled" and fact.endpoint_kind == "trunk" else ""


def _dialler(call: Call) -> str | None:
    """The leg whose channel dials: the one that was routed last, at first the caller's."""
    caller = call.caller_leg
    return call.dialling_leg or (caller.id if caller else None)


def _route_chosen(call: Call, fact: f.RouteChosen) -> Folded:
    if fact.at <= call.routed_at:
        return Folded(call)
    requested = call.origin == "click" and not call.routed_at
    call = replace(
        call,
        dialling=fact.dialled,
        dialling_leg=fact.leg_id,
        routed_at=fact.at,
        shown_as=call.shown_as if requested else fact.shown_as,
        recording_format=fact.recording_format if requested else call.recording_format,
    )
    if fact.step_kind:
        party = fact.callee or Party(number=fact.dialled)
        call = _stepped(call, fact.step_id, fact.step_kind, party, fact.at)
    if call.class_ is not None:  # a transfer: the record stays as it began
        return Folded(call)
    changed = replace(
        call,
        class_=fact.class_,
        direction=fact.direction,
        dialled=fact.dialled,
        callee=fact.callee or Party(number=fact.dialled),
        did_number=fact.did_number,
        recording=fact.recording,
        recording_format=fact.recording_format,
        refused=fact.refused,
    )
    return Folded(changed)


def _stepped(call: Call, id_: str, kind: str, party: Party | None, at: int) -> Call:
    step = Step(id=id_, kind=kind, party=party, entered_at=at)
    return replace(call, path=(*call.path, step))


def _step_entered(call: Call, fact: f.StepEntered) -> Folded:
    if call.path and fact.at <= call.path[-1].entered_at:
        return Folded(call)
    call = _stepped(call, fact.step_id, fact.kind, fact.party, fact.at)
    dialled = fact.party.number if fact.kind == "outside" and fact.party else call.dialling
    return Folded(replace(call, dialling=dialled, dialling_leg=fact.leg_id, shown_as=fact.shown_as))


def _step_left(call: Call, fact: f.StepLeft) -> Folded:
    last = call.path[-1] if call.path else None
    if last is None or last.left_at is not None or fact.at < last.entered_at:
        return Folded(call)
    left = replace(last, left_at=fact.at, result=fact.result)
    return Folded(replace(call, path=(*call.path[:-1], left)))


def _refused(call: Call, fact: f.CallRefused) -> Folded:
    if fact.leg_id not in call.legs:
        return Folded(call)
    if call.refusals and fact.at <= call.refusals[-1].at:
        return Folded(call)
    refusal = Refusal(
        leg_id=fact.leg_id,
        at=fact.at,
        reason=fact.reason,
        number=fact.number,
        device=fact.device,
    )
    return Folded(
        replace(call, refusals=(*call.refusals, refusal)),
        (Notice("CALL_REFUSED", fact.leg_id, fact.at),),
    )


def _leg_ringing(call: Call, fact: f.LegRinging) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.ringing_at or leg.hung_up_at or leg.ended_at:
        return Folded(call)
    if leg.answered_at is not None and fact.at > leg.answered_at:
        return Folded(call)
    changed = replace(leg, ringing_at=max(fact.at, leg.started_at))
    return Folded(
        with_leg(call, changed), (Notice("CHANNEL_PROGRESS", leg.id, changed.ringing_at or 0),)
    )


def _leg_answered(call: Call, fact: f.LegAnswered) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.answered_at or leg.ended_at:
        return Folded(call)
    return Folded(
        with_leg(call, replace(leg, answered_at=fact.at)),
        (Notice("CHANNEL_ANSWER", leg.id, fact.at),),
    )


def _leg_joined(call: Call, fact: f.LegJoined) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.ended_at or fact.at <= leg.bridged_at:
        return Folded(call)
    if leg.bridge is not None:  # the log has not told that it left
        call = talk.leave(call, leg, fact.at)
        leg = call.legs[leg.id]
    call = with_leg(call, replace(leg, bridge=fact.bridge_id, bridged_at=fact.at))
    return _joined(*talk.meet(call, fact.bridge_id, fact.at, newcomer=leg.id), fact.at)


def _joined(call: Call, legs: tuple[str, ...], at: int) -> Folded:
    return Folded(call, tuple(Notice("CHANNEL_BRIDGE", leg_id, at) for leg_id in legs))


def _leg_left(call: Call, fact: f.LegLeft) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.bridge != fact.bridge_id or fact.at < leg.bridged_at:
        return Folded(call)
    return Folded(talk.leave(call, leg, fact.at))


def _leg_accompanied(call: Call, fact: f.LegAccompanied) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.bridge is None or leg.joined_at is not None or fact.at < leg.bridged_at:
        return Folded(call)
    return _joined(talk.accompany(call, leg, fact.by, fact.at), (leg.id,), fact.at)


def _leg_left_alone(call: Call, fact: f.LegLeftAlone) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.joined_at is None or fact.at < leg.joined_at:
        return Folded(call)
    return Folded(talk.leave_alone(call, leg, fact.at))


def _leg_held(call: Call, fact: f.LegHeld | f.LegUnheld) -> Folded:
    leg = call.legs.get(fact.leg_id)
    held = isinstance(fact, f.LegHeld)
    if leg is None or leg.ended_at or leg.held == held or fact.at <= leg.held_at:
        return Folded(call)
    name = "CHANNEL_HOLD" if held else "CHANNEL_UNHOLD"
    return Folded(
        with_leg(call, replace(leg, held=held, held_at=fact.at)), (Notice(name, leg.id, fact.at),)
    )


def _leg_picked_up(call: Call, fact: f.LegPickedUp) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.lost_race or leg.ended_at:
        return Folded(call)
    return Folded(with_leg(call, replace(leg, lost_race=True)))


def _leg_fell_silent(call: Call, fact: f.LegFellSilent) -> Folded:
    """It has talked with nobody since its last sign, although it stays in its bridge until it is hung up."""
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.fell_silent_at is not None or leg.hung_up_at or leg.ended_at:
        return Folded(call)
    leg = replace(leg, fell_silent_at=fact.last_sign)
    return Folded(talk.leave(with_leg(call, leg), leg, fact.last_sign))


def _leg_measured(call: Call, fact: f.LegMeasured) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.quality is not None or leg.ended_at:
        return Folded(call)
    up = max(0, fact.at - (leg.answered_at or leg.started_at)) / SECOND
    measured = quality(fact, up)
    return Folded(with_leg(call, replace(leg, quality=measured)))


def _leg_hung_up(call: Call, fact: f.LegHungUp) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.hung_up_at or leg.ended_at:
        return Folded(call)
    changed = replace(
        leg,
        hung_up_at=fact.at,
        cause=fact.cause,
        hung_up_itself=fact.by,
        dial_status=fact.dial_status,
        lost_race=leg.lost_race or _answered_by_another(call, leg, fact),
        sip_code=_own_code(leg, fact),
    )
    return Folded(with_leg(call, changed))


def _own_code(leg: Leg, fact: f.LegHungUp) -> int | None:
    """The SIP code that says how the leg ended.

    For a leg that the switch took back, Asterisk reports the code that it would have sent; for a leg that
    dialled, it reports what a leg of that Dial was answered with.
    """
    refused = fact.by and leg.answered_at is None
    return fact.sip_code if refused or leg.direction == "inbound" else None


def _answered_by_another(call: Call, leg: Leg, fact: f.LegHungUp) -> bool:
    """Was a leg that rang picked up? Then a channel stands in its place, or its dialler has been answered."""
    dialler = call.legs.get(leg.dialled_by or "")
    if leg.answered_at is not None or dialler is None:
        return False
    answered = dialler.answered_at is not None and dialler.answered_at >= leg.started_at
    return fact.taken_over or (dialler.direction == "inbound" and answered)


def _leg_ended(call: Call, fact: f.LegEnded) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.ended_at:
        return Folded(call)
    call, heard = _end_leg(call, leg, fact.at)
    if any(other.ended_at is None for other in call.legs.values()):
        return Folded(call, heard)
    return _end_call(call, fact.at, heard)


def _merged(call: Call, fact: f.CallMerged) -> Folded:
    other = refold(list(fact.facts))
    if other is None or all(leg_id in call.legs for leg_id in other.legs):
        return Folded(call)
    newest = max(call, other, key=lambda one: one.routed_at)
    call = replace(
        call,
        legs={
            **call.legs,
            **{leg.id: _taken_in(other, leg, fact.at) for leg in other.legs.values()},
        },
        shown_as=newest.shown_as,
        dialling=newest.dialling,
        dialling_leg=newest.dialling_leg,
        routed_at=newest.routed_at,
        absorbed=(*call.absorbed, *other.absorbed, other.id),
    )
    joined: tuple[str, ...] = ()
    bridges = dict.fromkeys(leg.bridge for leg in call.legs.values() if leg.bridge)
    for bridge in sorted(bridges, key=lambda each: _only_taken_in(call, each, fact.at)):
        if call.first_answer is None and _only_taken_in(call, bridge, fact.at):
            # They are about to part: who was dialled in this call has yet to answer.
            call = talk.part(call, bridge, fact.at)
        else:
            call, more = talk.meet(call, bridge, fact.at)
            joined += more
    return _joined(call, joined, fact.at)


def _only_taken_in(call: Call, bridge: str, at: int) -> bool:
    return all(leg.here_from == at for leg in call.in_bridge(bridge))


def _taken_in(other: Call, leg: Leg, at: int) -> Leg:
    """A leg of another call that has become part of this one; the number that it called stays as it was."""
    role: Role = "consulted" if leg.role in ("dialled", "consulted") else "member"
    dialled = other.dialled if leg.role == "caller" and leg.direction == "inbound" else leg.dialled
    return replace(leg, role=role, dialled=dialled or leg.dialled, here_from=at)


def _absorbed(call: Call, fact: f.CallAbsorbed) -> Folded:
    for leg in list(call.legs.values()):
        if leg.bridge is not None:
            call = talk.leave(call, call.legs[leg.id], fact.at)
    call = replace(call, merged_into=fact.into_call_id)
    return _end_call(call, fact.at, (Notice("CALL_MERGED", None, fact.at),))


def _call_ended(call: Call, fact: f.CallEnded) -> Folded:
    if not call.legs or any(leg.ended_at is None for leg in call.legs.values()):
        return Folded(call)
    return _end_call(call, fact.at, ())


def _engine_died(call: Call, fact: f.EngineDied) -> Folded:
    if not call.legs and call.origin == "click":
        return _withdrawn(call, fact)
    return _close_all(replace(call, engine_died=True), max(fact.at, _last_sign(call)))


def _withdrawn(call: Call, fact: AnyFact) -> Folded:
    if call.legs:
        return Folded(call)
    return Folded(replace(call, withdrawn=True))


def _unchanged(call: Call, fact: AnyFact) -> Folded:
    return Folded(call)


_BEGINNINGS: dict[type, Callable[[Any], Folded]] = {
    f.CallRequested: _requested,
    f.LegStarted: _began,
}

_TRANSITIONS: dict[type, Callable[[Call, Any], Folded]] = {
    f.CallRequested: _unchanged,
    f.RequestWithdrawn: _withdrawn,
    f.LegStarted: _leg_started,
    f.RouteChosen: _route_chosen,
    f.StepEntered: _step_entered,
    f.StepLeft: _step_left,
    f.CallRefused: _refused,
    f.LegRinging: _leg_ringing,
    f.LegAnswered: _leg_answered,
    f.LegJoined: _leg_joined,
    f.LegLeft: _leg_left,
    f.LegAccompanied: _leg_accompanied,
    f.LegLeftAlone: _leg_left_alone,
    f.LegHeld: _leg_held,
    f.LegUnheld: _leg_held,
    f.LegPickedUp: _leg_picked_up,
    f.LegFellSilent: _leg_fell_silent,
    f.LegMeasured: _leg_measured,
    f.LegHungUp: _leg_hung_up,
    f.LegEnded: _leg_ended,
    f.CallMerged: _merged,
    f.CallAbsorbed: _absorbed,
    f.CallEnded: _call_ended,
    f.EngineDied: _engine_died,
}


def _end_leg(call: Call, leg: Leg, at: int) -> tuple[Call, tuple[Notice, ...]]:
    if leg.bridge is not None:
        call = talk.leave(call, leg, at)
    call = with_leg(call, replace(call.legs[leg.id], ended_at=at))
    return call, (Notice("CHANNEL_DESTROY", leg.id, at),)


def _end_call(call: Call, at: int, heard: tuple[Notice, ...]) -> Folded:
    return Folded(replace(call, ended_at=at), (*heard, Notice("CALL_ENDED", None, at)))


def _close_all(call: Call, at: int) -> Folded:
    heard: tuple[Notice, ...] = ()
    for leg in list(call.legs.values()):
        if leg.ended_at is None:
            call, more = _end_leg(call, call.legs[leg.id], at)
            heard += more
    return _end_call(call, at, heard)


def _last_sign(call: Call) -> int:
    """The newest time in the call: it cannot have ended before that."""
    times = [call.started_at]
    for leg in call.legs.values():
        times += [leg.started_at, leg.ringing_at or 0, leg.answered_at or 0, leg.bridged_at]
        times += [leg.held_at, leg.hung_up_at or 0, leg.ended_at or 0]
    return max(times)

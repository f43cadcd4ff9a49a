"""fold(call, fact) -> what the call is now, and what is to be announced of it.

A call is never changed in any other way. The theory:

* A call begins with a ``CallRequested`` (click-to-call) or with its first ``LegStarted``. A fact of
  a call that has not begun, or is over, changes nothing.
* Every transition is idempotent: facts of one leg come in the order of their time, so a fact that
  is not newer than what it would change is a repeat. Hence a log may be taken in again from any
  earlier place, and a call folded from all of its facts equals the live one.
* Two people talk while two legs of the call are in one bridge. What each transition costs does not
  grow with the number of calls, only with the legs of this one.
* A call is over when all its legs are. ``CallEnded`` and ``EngineDied`` close legs that never said
  that they ended.

Outside facts        Leg                         Call
-------------        ---                         ----
CallRequested                                    begins (click)
LegStarted           begins                      begins, or gets one more leg
RouteChosen                                      learns class, direction, callee
LegRinging           rings
LegAnswered          is up
LegJoined            is in a bridge              talks, from two legs on
LegLeft              is in none                  talks no more, below two
LegHeld, LegUnheld   holds
LegHungUp            has its cause
LegEnded             is over                     is over with its last leg
CallMerged           the other call's legs join
CallEnded, EngineDied  are over                  is over
RequestWithdrawn                                 never was
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from trunkline.calls import facts as f
from trunkline.calls import talk
from trunkline.calls.call import Call, Leg
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.talk import with_leg

replace = msgspec.structs.replace


class Heard(NamedTuple):
    """Something to announce: the public event's name, and the leg that it is about (or the call)."""

    name: str
    leg_id: str | None
    at: int


class Folded(NamedTuple):
    """The call as it is now, and what is to be announced, in order."""

    call: Call | None
    heard: tuple[Heard, ...] = ()


def fold(call: Call | None, fact: AnyFact) -> Folded:
    """Take one fact in. Never raises: a fact that does not fit changes nothing."""
    if call is None:
        begin = _BEGINNINGS.get(type(fact))
        return begin(fact) if begin else Folded(None)
    if call.over:
        return Folded(call)
    return _TRANSITIONS[type(fact)](call, fact)


def refold(facts: list[AnyFact]) -> Call | None:
    """The call that these facts, in their order, make."""
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
    )
    return _leg_started(call, fact)


def _leg_started(call: Call, fact: f.LegStarted) -> Folded:
    if fact.leg_id in call.legs:
        return Folded(call)
    leg = Leg(
        id=fact.leg_id,
        direction=fact.direction,
        endpoint=fact.endpoint,
        endpoint_kind=fact.endpoint_kind,
        party=fact.party or Party(number=fact.caller_number, name=fact.caller_name),
        caller_number=fact.caller_number,
        caller_name=fact.caller_name,
        dialled=fact.dialled or (call.dialling if fact.endpoint_kind == "trunk" else ""),
        started_at=fact.at,
    )
    return Folded(with_leg(call, leg), (Heard("CHANNEL_CREATE", leg.id, fact.at),))


def _route_chosen(call: Call, fact: f.RouteChosen) -> Folded:
    if fact.at <= call.routed_at:
        return Folded(call)
    call = replace(call, dialling=fact.dialled, routed_at=fact.at)
    if call.class_ is not None:  # a transfer: the record stays as it began
        return Folded(call)
    changed = replace(
        call,
        class_=fact.class_,
        direction=fact.direction,
        dialled=fact.dialled,
        callee=fact.callee or Party(number=fact.dialled),
        did_number=fact.did_number,
        shown_as=fact.shown_as,
        recording=fact.recording,
        refused=fact.refused,
    )
    return Folded(changed)


def _leg_ringing(call: Call, fact: f.LegRinging) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.ringing_at or leg.hung_up_at or leg.ended_at:
        return Folded(call)
    if leg.answered_at is not None and fact.at > leg.answered_at:
        return Folded(call)
    changed = replace(leg, ringing_at=max(fact.at, leg.started_at))
    return Folded(
        with_leg(call, changed), (Heard("CHANNEL_PROGRESS", leg.id, changed.ringing_at or 0),)
    )


def _leg_answered(call: Call, fact: f.LegAnswered) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.answered_at or leg.ended_at:
        return Folded(call)
    return Folded(
        with_leg(call, replace(leg, answered_at=fact.at)),
        (Heard("CHANNEL_ANSWER", leg.id, fact.at),),
    )


def _leg_joined(call: Call, fact: f.LegJoined) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.ended_at or fact.at <= leg.bridged_at:
        return Folded(call)
    if leg.bridge is not None:  # its leaving was not told
        call = talk.leave(call, leg, fact.at)
        leg = call.legs[leg.id]
    call = with_leg(call, replace(leg, bridge=fact.bridge_id, bridged_at=fact.at))
    return _joined(*talk.meet(call, fact.bridge_id, fact.at, newcomer=leg.id), fact.at)


def _joined(call: Call, legs: tuple[str, ...], at: int) -> Folded:
    return Folded(call, tuple(Heard("CHANNEL_BRIDGE", leg_id, at) for leg_id in legs))


def _leg_left(call: Call, fact: f.LegLeft) -> Folded:
    leg = call.legs.get(fact.leg_id)
    if leg is None or leg.bridge != fact.bridge_id or fact.at < leg.bridged_at:
        return Folded(call)
    return Folded(talk.leave(call, leg, fact.at))


def _leg_held(call: Call, fact: f.LegHeld | f.LegUnheld) -> Folded:
    leg = call.legs.get(fact.leg_id)
    held = isinstance(fact, f.LegHeld)
    if leg is None or leg.ended_at or leg.held == held or fact.at <= leg.held_at:
        return Folded(call)
    name = "CHANNEL_HOLD" if held else "CHANNEL_UNHOLD"
    return Folded(
        with_leg(call, replace(leg, held=held, held_at=fact.at)), (Heard(name, leg.id, fact.at),)
    )


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
        # Of a leg that the switch took back, Asterisk tells the code that it would have sent.
        sip_code=fact.sip_code if fact.by or leg.direction == "inbound" else None,
    )
    return Folded(with_leg(call, changed))


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
        legs={**call.legs, **{leg.id: _came(leg, fact.at) for leg in other.legs.values()}},
        dialling=newest.dialling,
        routed_at=newest.routed_at,
    )
    joined: tuple[str, ...] = ()
    for bridge in dict.fromkeys(leg.bridge for leg in call.legs.values() if leg.bridge):
        call, more = talk.meet(call, bridge, fact.at)
        joined += more
    return _joined(call, joined, fact.at)


def _came(leg: Leg, at: int) -> Leg:
    return replace(leg, here_from=at)


def _call_ended(call: Call, fact: f.CallEnded) -> Folded:
    if not call.legs:
        return Folded(call)
    return _close_all(call, fact.at)


def _engine_died(call: Call, fact: f.EngineDied) -> Folded:
    if not call.legs and call.origin == "click":
        return _withdrawn(call, fact)
    return _close_all(replace(call, engine_died=True), max(fact.at, _last_sign(call)))


def _withdrawn(call: Call, fact: AnyFact) -> Folded:
    if call.legs:
        return Folded(call)
    return Folded(replace(call, withdrawn=True))


def _no_repeat(call: Call, fact: AnyFact) -> Folded:
    return Folded(call)


_BEGINNINGS: dict[type, Callable[[Any], Folded]] = {
    f.CallRequested: _requested,
    f.LegStarted: _began,
}

_TRANSITIONS: dict[type, Callable[[Call, Any], Folded]] = {
    f.CallRequested: _no_repeat,
    f.RequestWithdrawn: _withdrawn,
    f.LegStarted: _leg_started,
    f.RouteChosen: _route_chosen,
    f.LegRinging: _leg_ringing,
    f.LegAnswered: _leg_answered,
    f.LegJoined: _leg_joined,
    f.LegLeft: _leg_left,
    f.LegHeld: _leg_held,
    f.LegUnheld: _leg_held,
    f.LegHungUp: _leg_hung_up,
    f.LegEnded: _leg_ended,
    f.CallMerged: _merged,
    f.CallEnded: _call_ended,
    f.EngineDied: _engine_died,
}


def _end_leg(call: Call, leg: Leg, at: int) -> tuple[Call, tuple[Heard, ...]]:
    if leg.bridge is not None:
        call = talk.leave(call, leg, at)
    call = with_leg(call, replace(call.legs[leg.id], ended_at=at))
    return call, (Heard("CHANNEL_DESTROY", leg.id, at),)


def _end_call(call: Call, at: int, heard: tuple[Heard, ...]) -> Folded:
    return Folded(replace(call, ended_at=at), (*heard, Heard("CALL_ENDED", None, at)))


def _close_all(call: Call, at: int) -> Folded:
    heard: tuple[Heard, ...] = ()
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

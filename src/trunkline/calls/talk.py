"""Who talks with whom: legs meet in a bridge, and leave it."""

from __future__ import annotations

import msgspec

from trunkline.calls.call import Call, Leg
from trunkline.calls.recording_plan import Joined, Stretch

replace = msgspec.structs.replace


def with_leg(call: Call, leg: Leg) -> Call:
    return replace(call, legs={**call.legs, leg.id: leg})


def meet(call: Call, bridge: str, at: int, newcomer: str = "") -> tuple[Call, tuple[str, ...]]:
    """Join the legs that are in a bridge together and were not joined; join the newcomer anew.

    Returns the call, and the legs that were joined.
    """
    present = call.in_bridge(bridge)
    if len(present) < 2:
        return call, ()
    ids = [leg.id for leg in present]
    joined: list[str] = []
    for one in present:
        anew = one.joined_at is None or one.id == newcomer
        others = tuple(each for each in ids if each != one.id)
        call = with_leg(
            call, replace(one, joined_with=others, joined_at=at if anew else one.joined_at)
        )
        joined += [one.id] if anew else []
    call = replace(
        call,
        talking_since=at if call.talking_since is None else call.talking_since,
        first_answer=call.first_answer or _who_answered(present),
    )
    return call, tuple(joined)


def leave(call: Call, leg: Leg, at: int) -> Call:
    """Take a leg out of its bridge; a leg that stays there alone talks no more."""
    bridge = leg.bridge
    call = with_leg(call, _out_of_bridge(_parted(leg, at), at))
    present = call.in_bridge(bridge)
    if len(present) == 1:
        call = with_leg(call, _parted(present[0], at))
    else:
        for one in present:
            left = tuple(each for each in one.joined_with if each != leg.id)
            call = with_leg(call, replace(one, joined_with=left))
    return _silent_if_nobody_is_joined(call, at)


def accompany(call: Call, leg: Leg, by: str, at: int) -> Call:
    """In a room, the leg talks with one of another call."""
    call = with_leg(call, replace(leg, joined_with=(by,), joined_at=at))
    since = at if call.talking_since is None else call.talking_since
    return replace(call, talking_since=since, had_company=True)


def leave_alone(call: Call, leg: Leg, at: int) -> Call:
    """In a room, the leg is the last one."""
    return _silent_if_nobody_is_joined(with_leg(call, _parted(leg, at)), at)


def part(call: Call, bridge: str | None, at: int) -> Call:
    """Those who are in a bridge together talk no more, although they are still there."""
    for leg in call.in_bridge(bridge):
        call = with_leg(call, _parted(leg, at))
    return _silent_if_nobody_is_joined(call, at)


def _silent_if_nobody_is_joined(call: Call, at: int) -> Call:
    if call.talking_since is None or any(one.joined_at is not None for one in call.legs.values()):
        return call
    return replace(call, talking_since=None, talked=call.talked + max(0, at - call.talking_since))


def _out_of_bridge(leg: Leg, at: int) -> Leg:
    stay = Stretch(leg.bridged_at, max(at, leg.bridged_at))
    return replace(leg, bridge=None, was_bridged=(*leg.was_bridged, stay))


def _parted(leg: Leg, at: int) -> Leg:
    if leg.joined_at is None or leg.bridge is None:
        return replace(leg, joined_at=None)
    stay = Joined(leg.joined_at, max(at, leg.joined_at), leg.bridge)
    talked = leg.talked + stay.end - stay.start
    return replace(leg, joined_at=None, talked=talked, was_joined=(*leg.was_joined, stay))


def _who_answered(present: list[Leg]) -> str:
    """Of those who talk now, the first who was dialled in this call, else the first that is not the caller."""
    dialled = [leg.id for leg in present if leg.role == "dialled"]
    far = [leg.id for leg in present if leg.role != "caller"]
    return (dialled or far or [present[-1].id])[0]

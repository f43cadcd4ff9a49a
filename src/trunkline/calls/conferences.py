"""Conferences: rooms whose bridge crosses calls, so that each participant's call stays a call of its own.

A call that meets nobody but in a room is answered by the system alone while its caller waits there, and by
people as soon as somebody else is in the room; only that time is talk. What a call learns of the others
comes to it as facts of its own, so that it can be folded again without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from trunkline.calls import facts as f
from trunkline.calls.call import Call, Leg
from trunkline.calls.facts import AnyFact

ROOM = "room"
"""The kind of destination that a conference is."""


def is_in_room(call: Call) -> bool:
    """Has the call's way led into a room, where it still is?"""
    return bool(call.path) and call.path[-1].kind == ROOM and call.path[-1].left_at is None


def came(call: Call, leg: Leg, others: Iterable[tuple[Call, Leg]], at: int) -> list[AnyFact]:
    """What follows when a leg has come to ``others`` (all who are there already)."""
    there = list(islice(others, 2))
    if not there:
        return []
    other_call, other = there[0]
    facts = [_accompanied(call, leg, other, at)]
    if len(there) == 1:  # the one who was alone there no longer is
        facts.append(_accompanied(other_call, other, leg, at))
    return facts


def went(others: Iterable[tuple[Call, Leg]], at: int) -> list[AnyFact]:
    """What follows when somebody has gone from ``others`` (all who are there still)."""
    left = list(islice(others, 2))
    if len(left) != 1:
        return []
    call, leg = left[0]
    return [f.LegLeftAlone(call_id=call.id, leg_id=leg.id, at=at)]


def _accompanied(call: Call, leg: Leg, by: Leg, at: int) -> AnyFact:
    return f.LegAccompanied(call_id=call.id, leg_id=leg.id, at=at, by=by.id)

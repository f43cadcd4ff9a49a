"""A finished call's legs as the plan of its recording needs them."""

from __future__ import annotations

from trunkline.calls.call import Call, Leg
from trunkline.calls.recording_plan import Composed, Joined, RecordedLeg, plan, raw_name


def recording_plan(call: Call) -> Composed:
    """What the recording of the call, which is over, is made of."""
    return plan([_recorded(leg) for leg in call.legs.values()])


def _recorded(leg: Leg) -> RecordedLeg:
    return RecordedLeg(
        raw=raw_name(leg.id),
        bridged=leg.was_bridged,
        joined=tuple(_here(leg)),
        ended=leg.ended_at is not None,
    )


def _here(leg: Leg) -> list[Joined]:
    """Of the times in which it was with somebody, those in this call."""
    return [
        Joined(max(each.start, leg.here_from), each.end, each.bridge)
        for each in leg.was_joined
        if each.end > leg.here_from
    ]

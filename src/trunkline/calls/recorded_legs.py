"""A finished call's legs as the plan of its recording needs them."""

from __future__ import annotations

from collections.abc import Iterator

from trunkline.calls.call import Call, Leg
from trunkline.calls.recording_plan import Composed, Joined, RecordedLeg, Stretch, plan, raw_name


def recording_plan(call: Call) -> Composed:
    """The plan of the recording of a call, which is over.

    A leg that has not ended goes on in the call that took this one in; this recording has it up
    to the end of this call.
    """
    assert call.ended_at is not None
    # Whoever was dialled sits opposite the one who took over from the caller before that.
    legs = sorted(call.legs.values(), key=lambda leg: leg.role == "dialled")
    return plan([_recorded(leg, call.ended_at) for leg in legs], call.clock)


def _recorded(leg: Leg, end: int) -> RecordedLeg:
    return RecordedLeg(
        raw=raw_name(leg.id),
        bridged=tuple(_bridged(leg, end)),
        joined=tuple(_joined(leg, end)),
        ended=leg.ended_at is not None,
    )


def _bridged(leg: Leg, end: int) -> Iterator[Stretch]:
    yield from leg.was_bridged
    if leg.bridge is not None and leg.bridged_at < end:
        yield Stretch(leg.bridged_at, end)


def _joined(leg: Leg, end: int) -> Iterator[Joined]:
    """The times in this call in which it was with somebody."""
    now = () if leg.joined_at is None else (Joined(leg.joined_at, end, leg.bridge or ""),)
    for each in (*leg.was_joined, *now):
        if each.end > max(each.start, leg.here_from):
            yield Joined(max(each.start, leg.here_from), each.end, each.bridge)

"""What a recording is made of: by hand for each kind of call, and by law for any."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.replay import Ledger, names, scenario
from trunkline.calls.call import Call, Leg
from trunkline.calls.facts import Party
from trunkline.calls.outcome import recording_name
from trunkline.calls.recorded_legs import recording_plan
from trunkline.calls.recording_plan import (
    Composed,
    Joined,
    Part,
    RecordedLeg,
    Source,
    Stretch,
    measure,
    plan,
    raw_name,
)


def leg(raw: str, *joined: tuple[int, int], room: str = "b1") -> RecordedLeg:
    """One that is in a bridge only as long as somebody else is."""
    return RecordedLeg(
        raw=raw,
        bridged=tuple(Stretch(*each) for each in joined),
        joined=tuple(Joined(*each, room) for each in joined),
    )


def seen(composed: Composed) -> list[tuple[str, str, int, int]]:
    """(side, voice, from, to) of each part."""
    return [(p.side, p.sources[0].raw, p.at, p.at + p.length) for p in composed.parts]


def test_the_caller_is_left_and_the_callee_right() -> None:
    made = plan([leg("a", (10, 50)), leg("b", (10, 50))])
    assert made == Composed(
        length=40,
        parts=(
            Part(0, 40, "left", (Source("a", "own", 0, 10), Source("b", "told", 0, 10))),
            Part(0, 40, "right", (Source("b", "own", 0, 10), Source("a", "told", 0, 10))),
        ),
        files=("a", "b"),
        spent=("a", "b"),
    )


def test_who_takes_over_from_the_callee_is_right_and_the_ringing_between_is_left_out() -> None:
    made = plan([leg("a", (10, 50), (80, 100)), leg("b", (10, 50)), leg("c", (80, 100))])
    assert seen(made) == [
        *[("left", "a", 0, 40), ("right", "b", 0, 40)],
        *[("left", "a", 40, 60), ("right", "c", 40, 60)],
    ]
    assert made.parts[2].sources == (Source("a", "own", 40, 80), Source("c", "told", 0, 80))


def test_who_takes_over_from_the_caller_is_left() -> None:
    made = plan([leg("a", (10, 50)), leg("b", (10, 50), (80, 100)), leg("c", (80, 100))])
    assert seen(made) == [
        *[("left", "a", 0, 40), ("right", "b", 0, 40)],
        *[("right", "b", 40, 60), ("left", "c", 40, 60)],
    ]


def test_a_third_party_is_right_and_heard_in_nobody_elses_file() -> None:
    made = plan([leg("a", (0, 90)), leg("b", (0, 90)), leg("c", (30, 60))])
    assert [(side, raw, start, end) for side, raw, start, end in seen(made) if raw == "c"] == [
        ("right", "c", 30, 60)
    ]
    assert all(len(part.sources) == 1 for part in made.parts if part.at == 30)


def test_two_who_are_left_alone_do_not_share_a_side() -> None:
    made = plan([leg("a", (0, 60)), leg("b", (0, 90)), leg("c", (30, 90))])
    assert {(p.side, p.sources[0].raw) for p in made.parts if p.at >= 60} == {
        ("right", "b"),
        ("left", "c"),
    }


def test_a_leg_that_came_from_another_call_is_taken_from_where_it_came() -> None:
    c = RecordedLeg(
        raw="c", bridged=(Stretch(20, 45), Stretch(46, 99)), joined=(Joined(46, 99, "b1"),)
    )
    made = plan([leg("a", (10, 40), (46, 99)), leg("b", (10, 40)), c])
    (part,) = [each for each in made.parts if each.sources[0].raw == "c"]
    assert (part.at, part.length, part.side) == (30, 53, "right")
    assert part.sources == (Source("c", "own", 25, 46), Source("a", "told", 30, 46))


def test_a_leg_that_goes_on_elsewhere_is_not_spent() -> None:
    going = RecordedLeg(raw="b", bridged=(Stretch(1, 5),), joined=(), ended=False)
    made = plan([leg("a", (1, 5)), going])
    assert (made.files, made.spent) == (("a", "b"), ("a",))


def test_the_file_of_a_leg_that_was_in_no_bridge_goes_with_the_others() -> None:
    """Whoever took its place in a transfer has had its recorder."""
    made = plan([leg("a", (1, 5)), leg("b", (1, 5)), leg("c")])
    assert made.files == made.spent == ("a", "b", "c")
    assert {source.raw for part in made.parts for source in part.sources} == {"a", "b"}


def test_a_file_is_named_after_its_leg_by_letters_that_mean_nothing() -> None:
    assert raw_name("tl1-1732.12") == "tl1-1732-12"


def refolded_leg(id_: str, **more: object) -> Leg:
    return Leg(
        id=id_,
        direction="outbound",
        endpoint=id_,
        endpoint_kind="device",
        party=Party(number=id_),
        caller_number="",
        caller_name="",
        dialled="",
        started_at=1,
        **more,  # type: ignore[arg-type]
    )


def test_a_call_that_another_one_took_in_is_recorded_up_to_that() -> None:
    """Its legs talk on: their files are needed for the other call, too."""
    came = {"bridge": "b1", "bridged_at": 20, "joined_at": 30}
    legs = [
        refolded_leg("a.1", **came, was_bridged=(Stretch(5, 9),)),
        refolded_leg("b.1", **(came | {"bridged_at": 30}), ended_at=50),
    ]
    call = Call(
        id="a.1",
        account_id="acct",
        origin="device",
        started_at=1,
        ended_at=50,
        legs={leg.id: leg for leg in legs},
    )
    made = recording_plan(call)
    assert (made.length, made.spent) == (20, ("b-1",))
    assert made.parts[0].sources == (Source("a-1", "own", 14, 30), Source("b-1", "told", 0, 30))


# ---- Any coming and going at all ----------------------------------------------------------------

LEGS = "abcd"
moves = st.lists(
    st.tuples(st.sampled_from(LEGS), st.sampled_from(["", "b1", "b2"]), st.integers(1, 9)),
    max_size=24,
)


def lived(steps: Sequence[tuple[str, str, int]]) -> list[RecordedLeg]:
    """Who goes into which bridge (or out of it), one after the other."""
    now, where, since = 1000, dict.fromkeys(LEGS, ""), dict.fromkeys(LEGS, 0)
    bridged: dict[str, list[Stretch]] = {each: [] for each in LEGS}
    joined: dict[str, list[Joined]] = {each: [] for each in LEGS}
    for mover, to, took in [*steps, *((each, "", 1) for each in LEGS)]:
        for each, bridge in where.items():
            if bridge and sum(other == bridge for other in where.values()) > 1:
                joined[each].append(Joined(now, now + took, bridge))
        now += took
        if where[mover] != to:
            if where[mover]:
                bridged[mover].append(Stretch(since[mover], now))
            where[mover], since[mover] = to, now
    return [
        RecordedLeg(raw=each, bridged=tuple(bridged[each]), joined=tuple(joined[each]))
        for each in LEGS
    ]


def talk(legs: Sequence[RecordedLeg]) -> int:
    return measure((each.start, each.end) for leg in legs for each in leg.joined)


@given(moves)
def test_it_is_as_long_as_the_talk(steps: list[tuple[str, str, int]]) -> None:
    legs = lived(steps)
    made = plan(legs)
    assert made.length == talk(legs)
    assert all(0 <= part.at < part.at + part.length <= made.length for part in made.parts)


@given(moves)
def test_each_voice_is_in_it_once_for_as_long_as_it_was_with_somebody(
    steps: list[tuple[str, str, int]],
) -> None:
    legs = lived(steps)
    for one in legs:
        own = sorted(
            (part.at, part.at + part.length)
            for part in plan(legs).parts
            if part.sources[0].raw == one.raw
        )
        assert all(before[1] <= after[0] for before, after in pairwise(own))
        assert sum(end - start for start, end in own) == talk([one])


@given(moves)
def test_while_two_are_joined_each_side_has_one_of_them(steps: list[tuple[str, str, int]]) -> None:
    two = lived([(leg, bridge and "b1", took) for leg, bridge, took in steps])
    made = plan(two)
    changes = sorted({t for part in made.parts for t in (part.at, part.at + part.length)})
    for start, end in pairwise(changes):
        there = [p for p in made.parts if p.at <= start and end <= p.at + p.length]
        assert len(there) >= 2
        if len(there) == 2:
            assert {part.side for part in there} == {"left", "right"}


@given(moves)
def test_what_is_taken_from_a_file_is_in_it(steps: list[tuple[str, str, int]]) -> None:
    legs = {leg.raw: leg for leg in lived(steps)}
    for part in plan(list(legs.values())).parts:
        for source in part.sources:
            held = measure(legs[source.raw].bridged)
            assert 0 <= source.offset <= source.offset + part.length <= held


@pytest.mark.parametrize("name", names())
def test_recorded_calls_are_recorded_as_long_as_they_bill(name: str) -> None:
    for call in refolded(name):
        assert recording_plan(call).length == call.talked


def refolded(name: str) -> list[Call]:
    scene, ledger = scenario(name), Ledger()
    ledger.take(*scene.requests)
    ledger.take(*scene.facts(scene.rows))
    ledger.take(*scene.deaths)
    return [call for call in ledger.calls.values() if call.over and not call.withdrawn]


@pytest.mark.parametrize("name", names())
def test_the_recorder_of_before_wrote_what_is_now_the_first_legs_file(name: str) -> None:
    """Its file had the call's name: an engine that was there before an upgrade still writes it."""
    for call in refolded(name):
        if recording_name(call):
            assert call.recording == recording_plan(call).files[0]


@pytest.mark.parametrize("name", ["blind_transfer", "attended_transfer"])
def test_transferred_calls_have_somebody_on_either_side_all_the_time(name: str) -> None:
    for call in refolded(name):
        made = recording_plan(call)
        for side in ("left", "right"):
            spoken = [(p.at, p.at + p.length) for p in made.parts if p.side == side]
            assert measure(spoken) == made.length

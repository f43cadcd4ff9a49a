"""Rooms: calls whose legs are in one bridge and stay calls of their own."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.replay import Ledger
from trunkline.calls import facts as f
from trunkline.calls import outcome
from trunkline.calls.facts import AnyFact

T0, SECOND = 1_700_000_000_000_000, 1_000_000
LEGS = ("a", "b", "c", "d")


def entered(leg: str, at: int) -> list[AnyFact]:
    """A phone has dialled a room, which picked up."""
    of = {"call_id": leg, "leg_id": leg, "at": at}
    return [
        f.LegStarted(
            **of, account_id="acct", direction="inbound", endpoint=leg, endpoint_kind="device"
        ),
        f.RouteChosen(
            **{**of, "at": at + 1},
            class_="one_one",
            direction="from_ab",
            dialled="800",
            recording="r",
            step_id="room-1",
            step_kind="room",
        ),
        f.LegAnswered(**{**of, "at": at + 2}),
    ]


def left(leg: str, at: int) -> list[AnyFact]:
    of = {"call_id": leg, "leg_id": leg, "at": at}
    return [f.LegLeft(**of, bridge_id="b"), f.LegHungUp(**of, cause=16), f.LegEnded(**of)]


def lived(moves: list[tuple[str, int]]) -> tuple[Ledger, dict[str, int]]:
    """Each leg comes with its first move and goes with its second; gives the true talk of each."""
    ledger, there, talked, last = Ledger(), [], Counter[str](), T0
    for leg, after in moves:
        now = last + after * SECOND + 10
        if len(there) > 1:
            talked.update(dict.fromkeys(there, now - last))
        last = now
        if leg in there:
            there.remove(leg)
            ledger.take(*left(leg, now))
        else:
            there.append(leg)
            ledger.take(*entered(leg, now - 5))
            ledger.take(f.LegJoined(call_id=leg, leg_id=leg, at=now, bridge_id="b"))
    for leg in there:
        ledger.take(*left(leg, last))
    return ledger, dict(talked)


@st.composite
def moves(draw: st.DrawFn) -> list[tuple[str, int]]:
    twice = draw(st.permutations([leg for leg in LEGS[: draw(st.integers(1, 4))] for _ in "12"]))
    return [(leg, draw(st.integers(0, 5))) for leg in twice]


@given(moves())
def test_the_talk_of_each_is_the_time_in_which_somebody_else_was_there(
    lives: list[tuple[str, int]],
):
    ledger, talked = lived(lives)
    assert {id_: call.talked for id_, call in ledger.calls.items() if call.talked} == {
        id_: time for id_, time in talked.items() if time
    }
    assert [call for call in ledger.calls.values() if call.merged_into or not call.over] == []
    assert ledger.refolded() == ledger.calls


@pytest.mark.parametrize(
    ("lives", "expected"),
    [
        ([("a", 1), ("a", 5)], {"a": ("IVR", 0)}),
        # 4.00001 s, rounded up
        ([("a", 1), ("b", 5), ("b", 4), ("a", 1)], {"a": ("SUCCESS", 5), "b": ("SUCCESS", 5)}),
        ([("a", 1), ("a", 5), ("b", 1), ("b", 1)], {"a": ("IVR", 0), "b": ("IVR", 0)}),
    ],
)
def test_alone_is_ivr_and_with_somebody_is_success(lives, expected) -> None:
    records = {id_: outcome.record(call) for id_, call in lived(lives)[0].calls.items()}
    assert {id_: (r.status_detail, r.billing_seconds) for id_, r in records.items()} == expected

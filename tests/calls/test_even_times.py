"""A call's times are even, whatever is done to the clock on the wall amid it."""

from __future__ import annotations

from typing import Any

from trunkline.calls import facts as f
from trunkline.calls.even_times import evened, moved_to
from trunkline.calls.facts import AnyFact
from trunkline.calls.fold import refold

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
UP = 90 * SECOND
"""What the monotonic clock says at START."""
HOURS = 7200 * SECOND


def began(clock: int | None = START - UP) -> Any:
    leg = f.LegStarted(
        call_id="c", at=START, leg_id="c", account_id="a", direction="inbound", endpoint="an",
        endpoint_kind="device", clock=clock,
    )  # fmt: skip
    call = refold([leg])
    assert call is not None
    return call


def answered(at: int) -> AnyFact:
    return f.LegAnswered(call_id="c", at=at, leg_id="c")


def test_a_clock_that_was_set_is_not_followed() -> None:
    for jump in (HOURS, -HOURS):
        fact = evened(began(), answered(START + 3 * SECOND + jump), UP + 3 * SECOND)
        assert fact.at == START + 3 * SECOND


def test_a_clock_that_is_disciplined_is_followed() -> None:
    at = START + 3 * SECOND + 40_000
    assert evened(began(), answered(at), UP + 3 * SECOND).at == at


def test_what_has_no_steady_time_keeps_its_own() -> None:
    late = answered(START + HOURS)
    assert evened(began(), late, 0) is late
    assert evened(began(clock=None), late, UP + SECOND) is late


def test_the_last_sign_of_life_moves_with_its_fact() -> None:
    at = START + HOURS + 70 * SECOND
    silent = f.LegFellSilent(call_id="c", leg_id="c", at=at, last_sign=at - 60 * SECOND)
    fact = evened(began(), silent, UP + 70 * SECOND)
    assert isinstance(fact, f.LegFellSilent)
    assert (fact.at, fact.last_sign) == (START + 70 * SECOND, START + 10 * SECOND)


def test_a_call_that_began_after_the_jump_comes_into_one_from_before() -> None:
    later = began(clock=START - UP + HOURS)
    inner = f.CallMerged(
        call_id="c", at=START + HOURS, other_call_id="d", facts=(answered(START + HOURS),)
    )
    (fact,) = moved_to(began(), later, [inner])
    assert isinstance(fact, f.CallMerged)
    assert (fact.at, fact.facts[0].at) == (START, START)
    assert moved_to(began(clock=None), later, [inner]) == (inner,)

"""Calls at random, whose generator knows what is true; ``make random-calls`` makes more of them."""

from __future__ import annotations

import pytest

from random_calls.plans import plan
from random_calls.running import Run, report

from .stage import Stage

SEED, CALLS, DESKS = 75, 25, 3


@pytest.mark.timeout(600, func_only=True)
async def test_what_is_told_of_calls_at_random_is_true(stage: Stage) -> None:
    run = Run(stage, SEED)
    await run.set_up(DESKS)
    await run.play([*range(CALLS)])
    found = await run.differences()
    assert found == [], report(SEED, found, 0, CALLS, 0)


def test_a_seed_gives_the_same_calls_again() -> None:
    assert [plan(7, number) for number in range(50)] == [plan(7, number) for number in range(50)]
    assert len({str(plan(7, number)) for number in range(50)}) > 20

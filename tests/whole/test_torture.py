"""A few faults under calls; ``make torture`` has hundreds."""

from __future__ import annotations

from random import Random

import pytest

from torture.comparing import Window, findings
from torture.faults import FAULTS, chosen
from torture.place import place
from torture.running import Run
from torture.traffic import Attempt

SEED = 11
STRUCK = ("disk", "clock", "both", "network")
"""The other ones have tests of their own."""


async def test_faults_lose_and_double_nothing() -> None:
    async with place(SEED, 3) as there:
        said: list[str] = []
        run = Run(there, SEED, said.append)
        there.traffic.start()
        for number, name in enumerate(STRUCK):
            fault = next(each for each in FAULTS if each.name == name)
            await run.one(number, fault, Random(f"{SEED}:{number}"))
        assert await run.ended() == [], said


def test_a_seed_gives_the_same_faults_again() -> None:
    names = [chosen(7, number)[0].name for number in range(200)]
    assert names == [chosen(7, number)[0].name for number in range(200)]
    assert set(names) == {fault.name for fault in FAULTS}


def _attempt(kind: str, code: int, spoke: float = 0) -> Attempt:
    when = (1.0, 1.0 + spoke) if spoke else None
    return Attempt("0900000001", kind, 0.5, 1.0, code, spoke=when)  # type: ignore[arg-type]


RECORD = {
    "call_id": "c", "caller": {"number": "0900000001"}, "callee": {"number": "x"}, "billing_seconds": 3,
    "duration_seconds": 3, "status_detail": "SUCCESS",
}  # fmt: skip


@pytest.mark.parametrize(
    ("attempt", "records", "refuses", "said"),
    [
        (_attempt("in", 200, 3), [], "", "it left no record"),
        (_attempt("in", 200, 3), [RECORD], "", None),
        (_attempt("in", 200, 9), [RECORD], "", "billed 3 s"),
        (_attempt("in", 200, 3), [RECORD, RECORD], "", "2 records"),
        (_attempt("out", 503), [], "", "nothing was wrong"),
        (_attempt("out", 503), [], "calls", None),
        (_attempt("out", 404), [], "calls", "it may work later"),
        (_attempt("out", 503), [RECORD], "calls", "refused, and its record says SUCCESS"),
    ],
)
def test_what_is_not_true_is_found(
    attempt: Attempt, records: list[object], refuses: str, said: str | None
) -> None:
    windows = [Window("fault", 0, 5, refuses)] if refuses else []
    found = [
        line
        for line in findings([attempt], windows, [], records, [])  # type: ignore[arg-type]
        if line.startswith(attempt.kind)
    ]
    assert [said in line for line in found if said] == [True] * bool(said), found
    assert bool(found) == bool(said)

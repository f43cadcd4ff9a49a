"""What is to happen in a call, decided by a seed alone: the same seed gives the same calls."""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

Kind = Literal["internal", "outbound", "inbound", "click", "click inside"]
Verb = Literal["talk", "hold", "blind", "attended"]
Target = Literal["inside", "outside"]

KINDS: tuple[Kind, ...] = ("internal", "outbound", "inbound", "click", "click inside")
VERBS: tuple[Verb, ...] = ("talk", "hold", "blind", "attended")
REFUSALS = (486, 603, 480, 404, 503)
MOST_STEPS = 3


class Answer(msgspec.Struct, frozen=True):
    """How somebody who is called takes it: after so many seconds; 0 for ``code`` is never."""

    code: int = 200
    after: float = 0
    alert: int = 180


class Step(msgspec.Struct, frozen=True):
    """What one of the two who talk does; ``who`` is 0 for the caller's end, 1 for the callee's.

    ``target`` and ``answer`` are whom a transfer goes to, and how that one takes it. An attended
    transfer is sent in the ``newer`` call, or else in the older one; with ``back`` whoever transfers
    thinks better of it.
    """

    verb: Verb
    who: int
    seconds: float
    target: Target = "inside"
    answer: Answer = Answer()
    newer: bool = False
    back: bool = False


class Plan(msgspec.Struct, frozen=True):
    """One call, and what becomes of it.

    ``device`` is how a click's device takes its leg, ``forward`` where the callee's phone sends the
    call by 302. The caller gives up after ``patience`` seconds of ringing; 0 is never.
    """

    seed: int
    number: int
    kind: Kind
    device: Answer
    answer: Answer
    forward: Literal["", "inside", "outside"]
    patience: float
    steps: tuple[Step, ...]
    ends: int
    last: float

    def __str__(self) -> str:
        steps = ", ".join(f"{step.verb} by {step.who}" for step in self.steps)
        return f"{self.kind}, {self.answer.code}{', 302 ' + self.forward if self.forward else ''}; {steps}"


def plan(seed: int, number: int) -> Plan:
    """The call of that number, of that seed."""
    dice = Random(f"{seed}:{number}")
    kind = dice.choice(KINDS)
    answer = _answer(dice, outside=kind in ("outbound", "click"), sure=0.75)
    device = _answer(dice, outside=False, sure=0.85) if kind.startswith("click") else Answer()
    forward: Literal["", "inside", "outside"] = ""
    if kind in ("internal", "inbound") and dice.random() < 0.12:
        forward = dice.choice(("inside", "outside"))
    patience = 0.0
    if not forward and dice.random() < 0.12:
        patience = round(dice.uniform(0.2, 1.2), 2)
        answer = Answer(0, 0, answer.alert)
    steps = tuple(_step(dice) for _ in range(dice.choice((0, 1, 1, 2, 2, MOST_STEPS))))
    return Plan(
        seed=seed,
        number=number,
        kind=kind,
        device=device,
        answer=answer,
        forward=forward,
        patience=patience,
        steps=steps,
        ends=dice.randrange(2),
        last=round(dice.uniform(0.3, 1.5), 2),
    )


def _answer(dice: Random, outside: bool, sure: float) -> Answer:
    alert = dice.choice((180, 180, 183)) if outside else 180
    after = round(dice.choice((0.0, 0.0, dice.uniform(0.1, 1.5))), 2)
    if dice.random() < sure:
        return Answer(200, after, alert)
    if dice.random() < 0.2:
        return Answer(0, 0, alert)
    return Answer(dice.choice(REFUSALS), after, alert)


def _step(dice: Random) -> Step:
    target: Target = dice.choice(("inside", "inside", "outside"))
    return Step(
        verb=dice.choice(VERBS),
        who=dice.randrange(2),
        seconds=round(dice.uniform(0.3, 1.5), 2),
        target=target,
        answer=_answer(dice, outside=target == "outside", sure=0.85),
        newer=dice.random() < 0.5,
        back=dice.random() < 0.15,
    )

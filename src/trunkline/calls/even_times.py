"""Keeps the times of a call even, whatever somebody does to the clock on the wall.

What the engine and we tell has two times: by the wall clock, which may be set while a call is up, and by the
machine's monotonic clock, which nobody sets, but whose beginning means nothing. So a call has a clock of its own:
that of the wall as the call began. When a fact's time by the wall is another one than by the call's clock, the
wall clock was set in between, and the call's clock counts. A record is then as long as the call was, and its
times stand in the order in which things happened. Facts are journalled with these times, so folding them again
gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from trunkline.calls import facts as f
from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact

_NOTICED = 50_000
"""Microseconds. A clock that is disciplined gently is never further from the other one at once."""


def evened(call: Call, fact: AnyFact, steady: int) -> AnyFact:
    """The fact with the call's time. ``steady`` is its moment by the monotonic clock, 0 where it is not known."""
    if not steady or call.clock is None:
        return fact
    return _moved(fact, _noticed(steady + call.clock - fact.at))


def moved_to(call: Call, other: Call, facts: Iterable[AnyFact]) -> tuple[AnyFact, ...]:
    """The facts of ``other``, by the clock of ``call``."""
    if call.clock is None or other.clock is None:
        return tuple(facts)
    by = _noticed(call.clock - other.clock)
    return tuple(_moved(fact, by) for fact in facts)


def _noticed(by: int) -> int:
    return by if abs(by) > _NOTICED else 0


def _moved(fact: AnyFact, by: int) -> AnyFact:
    if by == 0:
        return fact
    if isinstance(fact, f.LegFellSilent):
        fact = msgspec.structs.replace(fact, last_sign=fact.last_sign + by)
    if isinstance(fact, f.CallMerged):
        within = tuple(_moved(each, by) for each in fact.facts)
        fact = msgspec.structs.replace(fact, facts=within)
    return msgspec.structs.replace(fact, at=fact.at + by)

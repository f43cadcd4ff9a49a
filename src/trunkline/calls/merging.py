"""Which of two calls goes on when their legs have met, and which one it absorbs.

The call with an outside party goes on: a customer is in it, and a carrier bills it. Of two such calls,
and of two without, the older one goes on.
"""

from __future__ import annotations

from typing import NamedTuple

from trunkline.calls.call import Call


class Merge(NamedTuple):
    goes_on: Call
    absorbed: Call


def merge(one: Call, other: Call) -> Merge | None:
    """Which of the two goes on; None where they are one call, one of them is over, or they are two accounts'.

    A call tells its account what it takes in, and keeps it in its records. So a call never takes in one of
    another account, whatever Asterisk has joined.
    """
    if one.id == other.id or one.over or other.over or one.account_id != other.account_id:
        return None
    first, second = sorted((one, other), key=_rank)
    return Merge(first, second)


def _rank(call: Call) -> tuple[bool, int, str]:
    return (not call.reaches_outside, call.started_at, call.id)

"""Which of two calls goes on when legs of both have met, and who is led over.

The one with an outside party goes on: it is what a customer was talked with, and what a carrier bills. Of
two such calls, or of two without, it is the older.
"""

from __future__ import annotations

from typing import NamedTuple

from trunkline.calls.call import Call


class Merge(NamedTuple):
    """One call takes in another."""

    goes_on: Call
    absorbed: Call


def merge(one: Call, other: Call) -> Merge | None:
    """Which goes on; None where both are one call, one of them is over, or they are two accounts'.

    What one account's call takes in is told to it and stands in its records, so another's calls never
    come into it, whatever Asterisk has joined.
    """
    if one.id == other.id or one.over or other.over or one.account_id != other.account_id:
        return None
    first, second = sorted((one, other), key=_rank)
    return Merge(first, second)


def _rank(call: Call) -> tuple[bool, int, str]:
    return (not call.reaches_outside, call.started_at, call.id)

"""How many legs may have sound at once, of the RTP ports that there are: nobody gets them all."""

from __future__ import annotations

import msgspec


class Legs(msgspec.Struct, frozen=True):
    """How many legs there may be: of all, of one account, and for the calls that one device makes."""

    all: int
    account: int
    device: int


def legs(first: int, last: int) -> Legs:
    """Each leg has two ports (RTP and RTCP). A twentieth, and 2 at least, is kept for calls for help."""
    there = (last - first + 1) // 2
    all_ = max(2, there - max(2, there // 20))
    return Legs(all=all_, account=max(2, all_ * 9 // 10), device=max(2, all_ // 2))

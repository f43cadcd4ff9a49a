"""How many connections each address has: those that have shown no token or key, and those that have.

A connection that stands for nobody yet costs its address; one that is signed in costs its app or key, too
(`trunkline.live.hub.usage`), and so may be one of many more. Where a newcomer finds his address full, the
one that has waited longest without asking for anything gives way: who says nothing shuts nobody out.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

Let = Callable[[], None]
"""Lets a connection, or a session, go."""


class TooManyOfAddress(Exception):
    """The address has as many connections as it may have."""


class Addresses:
    """The counts of one process. A limit of 0 is none."""

    def __init__(
        self, strange: int = 0, signed_in: int = 0, whose: Callable[[str], str] = str
    ) -> None:
        """``whose`` gives the address that an address is counted with."""
        self.limits = {False: strange, True: signed_in}
        self.counts: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
        self.whose = whose
        self.refused = 0
        """How many were refused, or let go for others."""
        self._idle: OrderedDict[Place, Let] = OrderedDict()
        self._idle_of: dict[str, OrderedDict[Place, None]] = {}

    def enter(self, address: str) -> Place:
        """Count one more connection; raises TooManyOfAddress. Every one ends with ``Place.leave``."""
        return Place(self, self.whose(address))

    def let_one_go(self) -> None:
        """There is no room at all: let go who has waited longest."""
        for place in self._idle:
            self._let_go(place)
            return

    # For places.

    def count(self, signed_in: bool, whose: str) -> None:
        most, counts = self.limits[signed_in], self.counts[signed_in]
        if most and counts[whose] >= most and not self._gave_way(signed_in, whose):
            self.refused += 1
            raise TooManyOfAddress(f"too many connections: at most {most} of one address")
        counts[whose] += 1

    def uncount(self, signed_in: bool, whose: str) -> None:
        counts = self.counts[signed_in]
        counts[whose] -= 1
        if not counts[whose]:
            del counts[whose]

    def idles(self, place: Place, whose: str, let: Let) -> None:
        self._idle[place] = let
        self._idle_of.setdefault(whose, OrderedDict())[place] = None

    def is_busy(self, place: Place, whose: str) -> None:
        if self._idle.pop(place, None) is not None:
            idle = self._idle_of[whose]
            del idle[place]
            if not idle:
                del self._idle_of[whose]

    def _gave_way(self, signed_in: bool, whose: str) -> bool:
        if signed_in or whose not in self._idle_of:
            return False
        self._let_go(next(iter(self._idle_of[whose])))
        return True

    def _let_go(self, place: Place) -> None:
        self.refused += 1
        let = self._idle[place]
        place.leave()
        let()


class Place:
    """One connection, or one session without one, among those of its address."""

    __slots__ = ("_addresses", "_signed_in", "_whose")

    def __init__(self, addresses: Addresses, whose: str) -> None:
        addresses.count(False, whose)
        self._addresses: Addresses | None = addresses
        self._signed_in, self._whose = False, whose

    def idle(self, let: Let) -> None:
        """It asks for nothing now: ``let`` lets it go where another one needs its place."""
        if self._addresses is not None and not self._signed_in:
            self._addresses.idles(self, self._whose, let)

    def busy(self) -> None:
        """It has asked for something, and is let go by nobody."""
        if self._addresses is not None:
            self._addresses.is_busy(self, self._whose)

    def sign_in(self) -> None:
        """It has shown a token or a key that is good; raises TooManyOfAddress."""
        if self._addresses is not None and not self._signed_in:
            self.busy()
            self._addresses.count(True, self._whose)
            self._addresses.uncount(False, self._whose)
            self._signed_in = True

    def leave(self) -> None:
        """It is over; doing it again does nothing."""
        self.busy()
        addresses, self._addresses = self._addresses, None
        if addresses is not None:
            addresses.uncount(self._signed_in, self._whose)

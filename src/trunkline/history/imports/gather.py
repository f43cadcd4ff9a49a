"""Gathers the rows of each call from a stream of rows, with bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from trunkline.history.imports.leg import ForeignLeg

_APART = 10_000
"""Rows. A call's rows are written as its legs end, so those of a long call stand some way apart."""
_MOST = 500


class Whole(msgspec.Struct, frozen=True):
    """All rows of a call that were near each other, and where the first of them stands."""

    legs: list[ForeignLeg]
    file: str
    line: int


class _Open(msgspec.Struct):
    whole: Whole
    touched: int


class Gather:
    """Takes legs and gives whole calls: a call is whole when no row of it has come for ``apart`` rows."""

    def __init__(self, apart: int = _APART) -> None:
        self._apart = apart
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._taken = 0

    def add(self, leg: ForeignLeg, file: str, line: int) -> Iterator[Whole]:
        """Take a leg; gives the calls that are whole now, the oldest first."""
        self._taken += 1
        found = self._open.get(leg.call)
        if found is None:
            self._open[leg.call] = _Open(Whole([leg], file, line), self._taken)
        else:
            found.whole.legs.append(leg)
            found.touched = self._taken
            self._open.move_to_end(leg.call)
            if len(found.whole.legs) >= _MOST:
                yield self._open.pop(leg.call).whole
        yield from self._finished()

    def rest(self) -> Iterator[Whole]:
        while self._open:
            yield self._open.popitem(last=False)[1].whole

    def _finished(self) -> Iterator[Whole]:
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.touched > self._taken - self._apart:
                return
            yield self._open.popitem(last=False)[1].whole

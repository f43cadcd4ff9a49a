"""Tells of what happens again and again: the first few of each kind at once, the rest summed up, once a window."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class ToldAtMost(Generic[K]):
    """Says how often a thing of kind K is to be told now; ``over`` gives what was held back.

    In one window, each kind is told up to ``each`` times at once, and all together up to ``in_all`` times.
    A flood of kinds costs no more memory than ``kinds`` of them: others are held back under what ``rest`` says of
    them, of which there must be few. Of what was held back, the ``apart`` kinds that happened most often are told as such, if
    that is given, and others as their ``rest``. Times are in seconds, by any clock that only goes on.
    """

    def __init__(
        self,
        *,
        window: float,
        each: int,
        in_all: int,
        kinds: int,
        rest: Callable[[K], K],
        apart: int | None = None,
    ) -> None:
        self._window, self._each, self._all, self._kinds = window, each, in_all, kinds
        self._rest, self._apart = rest, apart
        self._began = -window
        self._told: dict[K, int] = {}
        self._told_in_all = 0
        self._held: dict[K, int] = {}

    def now(self, kind: K, count: int, at: float) -> list[int]:
        """It happened ``count`` times: what to tell at once, as counts that sum up to what is not held back."""
        if not self._told and not self._held:
            self._began = at
        told = self._told.get(kind, 0)
        free = min(self._each - told, self._all - self._told_in_all, count)
        if free <= 0 or (kind not in self._told and len(self._told) >= self._kinds):
            self._hold(kind, count)
            return []
        self._told[kind] = told + free
        self._told_in_all += free
        return [*[1] * (free - 1), count - free + 1]

    def over(self, at: float) -> list[tuple[K, int]]:
        """When the window is over: each kind that was held back, and how often. A new window begins then."""
        if at - self._began < self._window:
            return []
        held = sorted(self._held.items(), key=lambda one: -one[1])
        self._told, self._held, self._told_in_all, self._began = {}, {}, 0, at
        if self._apart is None or len(held) <= self._apart:
            return held
        told = dict(held[: self._apart])
        for kind, count in held[self._apart :]:
            rest = self._rest(kind)
            told[rest] = told.get(rest, 0) + count
        return list(told.items())

    def _hold(self, kind: K, count: int) -> None:
        if kind not in self._held and len(self._held) >= self._kinds:
            kind = self._rest(kind)
        self._held[kind] = self._held.get(kind, 0) + count

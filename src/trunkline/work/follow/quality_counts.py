"""How the audio of legs went, counted since the process started: for metrics."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import msgspec

from trunkline.calls.call import Leg


class Spread(msgspec.Struct):
    """So many values, and how many of them were at most each bound; the last bound is none."""

    bounds: tuple[float, ...]
    counts: list[int] = msgspec.field(default_factory=list)
    total: float = 0.0

    def add(self, value: float) -> None:
        if not self.counts:
            self.counts = [0] * (len(self.bounds) + 1)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def upto(self) -> Iterator[tuple[str, float]]:
        """Each bound, and how many values were at most that."""
        so_far = 0
        for bound, count in zip((*self.bounds, None), self.counts, strict=True):
            so_far += count
            yield "+Inf" if bound is None else str(float(bound)), so_far


BOUNDS = {
    "mos": (1.5, 2.0, 2.5, 3.0, 3.3, 3.6, 3.8, 4.0, 4.2, 4.3),
    "loss_ratio": (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5),
    "jitter_seconds": (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5),
    "round_trip_seconds": (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0),
}
"""What is counted, and by which bounds."""


class QualityCounts:
    """``spreads``: what is counted, the leg's endpoint and the direction -> the values; no account."""

    def __init__(self) -> None:
        self.spreads: dict[tuple[str, str, str], Spread] = {}

    def add(self, leg: Leg) -> None:
        """Count a leg that is over."""
        if leg.quality is None:
            return
        for way, stream in (("received", leg.quality.received), ("sent", leg.quality.sent)):
            self._add("mos", leg, way, stream.mos, 1)
            self._add("loss_ratio", leg, way, stream.loss_percent, 100)
            self._add("jitter_seconds", leg, way, stream.jitter_ms, 1000)
        self._add("round_trip_seconds", leg, "both", leg.quality.round_trip_ms, 1000)

    def _add(self, what: str, leg: Leg, way: str, value: float | None, unit: int) -> None:
        if value is not None:
            key = (what, leg.endpoint_kind, way)
            self.spreads.setdefault(key, Spread(BOUNDS[what])).add(value / unit)

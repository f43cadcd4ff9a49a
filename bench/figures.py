"""A figure: a candidate beside its baseline, and how one is made from samples that took turns."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of output. ``aim`` is the most that ``candidate / baseline`` should be, or ``at_least``
    the least.

    Where ``aim_is`` is ``candidate``, the aim is for the candidate itself, in ``unit``. ``note`` says
    what was counted.
    """

    name: str
    baseline: float
    candidate: float
    unit: str = "ms"
    ratio: float | None = None
    aim: float | None = None
    aim_is: str = "ratio"
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Is the aim met? None where there is none."""
        if self.aim is None:
            return None
        value = self.ratio if self.aim_is == "ratio" else self.candidate
        if value is None:
            return False
        return value >= self.aim if self.at_least else value <= self.aim

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """For people: name, baseline, candidate, ratio, aim, note."""
        ratio = "-" if self.ratio is None else f"{self.ratio:.3g}"
        aim = "-"
        if self.aim is not None:
            aim = f"{'≥' if self.at_least else ''}{self.aim:g}"
            aim += "" if self.aim_is == "ratio" else f" {self.unit}"
            aim += " met" if self.met else " MISSED"
        amounts = self._amount(self.baseline), self._amount(self.candidate)
        return self.name, *amounts, ratio, aim, self.note

    def line(self) -> str:
        """The figure for people."""
        name, baseline, candidate, ratio, aim, note = self.cells()
        return (
            f"{name:<42} ratio={ratio:<6} baseline={baseline:<11} "
            f"candidate={candidate:<11} aim={aim:<12} {note}"
        ).rstrip()

    def _amount(self, value: float) -> str:
        return f"{value:.3g} {self.unit}" if abs(value) < 1000 else f"{value:.0f} {self.unit}"


def quantile(samples: Sequence[float], share: float) -> float:
    """The sample below which ``share`` of them lie (nearest rank)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def blocks(samples: Sequence[float], size: int) -> list[Sequence[float]]:
    """The samples in the order in which they were taken, cut into blocks; a short rest is left out."""
    return [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]


def compared(
    name: str,
    baseline: Sequence[float],
    candidate: Sequence[float],
    share: float,
    *,
    block: int = 20,
    aim: float | None = None,
    note: str = "",
) -> Figure:
    """A quantile of two series that took turns.

    For the median, the ratio is the median over blocks of neighbours, so that a slow minute of the
    machine falls out; a tail is one ratio over everything.
    """
    ratio = quantile(candidate, share) / quantile(baseline, share)
    if share == 0.5 and len(baseline) >= 2 * block:
        pairs = zip(blocks(baseline, block), blocks(candidate, block), strict=False)
        ratio = median(median(ours) / median(bare) for bare, ours in pairs)
    return Figure(
        name=name,
        baseline=quantile(baseline, share),
        candidate=quantile(candidate, share),
        ratio=ratio,
        aim=aim,
        note=note,
    )

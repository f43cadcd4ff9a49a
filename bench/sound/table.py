"""The table: codec pairs and situations, with length, alignment and SNR of each recording.

A cell that misses an aim while the machine kept our own packets back, or whose call did not come about, is played once
more, and then says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
from tests.whole.codecs import G722, PCMU
from tests.whole.firm import Firm
from tests.whole.measured import SIDES, Measured
from tests.whole.situations import (
    PAIRS,
    REPORTED,
    SITUATIONS,
    WAYS,
    Cell,
    NotTaken,
    Recorded,
    opened,
    play_all,
)

from ..figures import Figure
from ..stage import on_stage

AT_ONCE = 12
"""Calls, each with an account of its own."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One cell. Lengths in seconds; ``place`` (the worst mark) and ``sides`` (left beside right, at worst) in ms,
    null where a mark is not found; SNR in dB, of the recording and of what the other party heard.

    ``misses`` are the aims that it misses; ``failed`` is why there is nothing to measure, ``refused`` that it is the codec.
    """

    way: str
    left: str
    right: str
    situation: str
    failed: str = ""
    refused: bool = False
    talk: float = 0
    longer: float = 0
    rate: int = 0
    place: float | None = None
    sides: float | None = None
    recorded: tuple[float, ...] = ()
    heard: tuple[float, ...] = ()
    lost: int = 0
    late: float = 0
    excused: bool = False
    misses: tuple[str, ...] = ()

    @property
    def met(self) -> bool | None:
        """Are all aims met? None where it was not to be measured."""
        return None if self.failed or (self.excused and self.misses) else not self.misses

    @property
    def again(self) -> bool:
        """Is it worth another try? A codec that is not taken is not."""
        return self.met is None and not self.refused

    def line(self) -> str:
        """For people."""
        name = f"{self.way:<14}{self.left + '-' + self.right:<12} {self.situation:<19}"
        if self.failed:
            return f"{name} {self.failed}"
        pairs = zip(self.recorded, self.heard, strict=True)
        decibels = "  ".join(f"{one:5.1f}/{other:<5.1f}" for one, other in pairs)
        verdict = f"MISSED {', '.join(self.misses)}" if self.misses else "met"
        if self.met is None:
            verdict = f"machine too busy ({self.late:.0f} ms late), else {verdict}"
        return (
            f"{name} talk={self.talk:6.2f} s  recording={self.longer:+7.3f} s  "
            f"place={_ms(self.place, self.lost):>9}  sides={_ms(self.sides, 0):>9}  "
            f"SNR left, right={decibels} dB  {self.rate // 1000:>2} kHz  {verdict}"
        )


def _ms(value: float | None, lost: int) -> str:
    return (f"{lost} lost" if lost else "-") if value is None else f"{value:+.0f} ms"


Line = Figure | Row


def cells(quick: bool) -> list[Cell]:
    """In the order in which they are played: calls of one length beside each other."""
    ways = [way for way in WAYS if way != "click"]
    clicks = [("click", *pair) for pair in ((G722, PCMU), (G722, G722), (PCMU, PCMU))]
    kinds = [(way, *pair) for way in ways for pair in PAIRS] + clicks
    if quick:
        return [
            *(Cell(ways[0], PCMU, PCMU, situation) for situation in SITUATIONS),
            *(Cell(ways[0], *pair, "tone") for pair in PAIRS[1:]),
            Cell("click", G722, PCMU, "tone"),
        ]
    few = [(way, *pair) for way in ways[::2] for pair in ((PCMU, PCMU), (G722, PCMU))]
    return [
        Cell(*kind, situation)
        for situation in SITUATIONS
        for kind in (few if situation in REPORTED else kinds)
    ]


async def measure(quick: bool) -> list[Line]:
    """Each cell's row, then how many of each situation are as they should be."""
    wanted = cells(quick)
    async with on_stage() as bench:
        firms = await opened(bench, AT_ONCE)
        rows = await _played(wanted, firms)
        again = [cell for cell, row in rows.items() if row.again]
        rows |= await _played(again, firms)
    shown = sorted(
        rows.values(), key=lambda row: (list(WAYS).index(row.way), row.left, row.right)
    )  # stable: situations stay in their order
    return [*shown, *_counted(shown)]


async def _played(wanted: Sequence[Cell], firms: Sequence[Firm]) -> dict[Cell, Row]:
    rows: dict[Cell, Row] = {}
    for first in range(0, len(wanted), len(firms)):
        these = wanted[first : first + len(firms)]
        for cell, result in zip(these, await play_all(these, firms), strict=True):
            rows[cell] = _row(cell, result)
    return rows


def _row(cell: Cell, result: Recorded | Exception) -> Row:
    name = {
        "way": cell.way,
        "left": cell.left.name,
        "right": cell.right.name,
        "situation": cell.situation,
    }
    if isinstance(result, NotTaken):
        return Row(**name, refused=True, failed=f"the codec is not taken: {result}")
    if not isinstance(result, Recorded):
        return Row(**name, failed=f"FAILED: {' '.join(str(result).split())[:200]}")
    found: Measured = result.measured()
    return Row(
        **name,
        talk=found.talk,
        longer=found.length - found.talk,
        rate=found.rate,
        place=None if found.worst is None else found.worst * 1000,
        sides=None if found.apart is None else found.apart * 1000,
        recorded=tuple(found.sides[side].recorded for side in SIDES),
        heard=tuple(found.sides[side].heard for side in SIDES),
        lost=sum(side.lost for side in found.sides.values()),
        late=found.late * 1000,
        excused=found.excused,
        misses=tuple(found.misses),
    )


def _counted(rows: Sequence[Row]) -> list[Figure]:
    """Of the cells that could be measured, how many meet all aims."""
    figures: list[Figure] = []
    for situation in SITUATIONS:
        these = [row for row in rows if row.situation == situation and row.met is not None]
        if not these:
            continue
        met = sum(bool(row.met) for row in these)
        missed = Counter(miss for row in these for miss in row.misses)
        note = ", ".join(f"{name}: {many} missed" for name, many in missed.most_common())
        figures.append(
            Figure(
                name=f"true recordings, {situation}",
                baseline=len(these),
                candidate=met,
                unit="cells",
                ratio=met / len(these),
                aim=1,
                at_least=True,
                note=note,
            )
        )
    return figures

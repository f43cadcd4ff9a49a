"""Statistics for people: the sums, and a line with a bar for each hour, day, user …

Every line fits the terminal (80 columns where there is none). A bar is full as far as calls were
answered and light for the rest, so that it is read without colour, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from trunkline.history.statistics import Point, Stats, Totals

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 110
LONGEST_LABEL = 24
_HEAD = ("calls", "answered", "talk", "ring")


class ChartLine(NamedTuple):
    """One line of the chart: the sums of one point, or of several."""

    label: str
    calls: int
    answered: int
    talk: int
    ring: int
    rang: float


def show_stats(found: Stats, account: str, by: str) -> None:
    from rich.console import Console

    console = Console(highlight=False, emoji=False, markup=False, soft_wrap=True)
    console.print(f"{account}: {_window(found)}", style="bold")
    console.print()
    for line in _summary(found.totals):
        console.print(f"  {line}")
    if found.totals.calls:
        console.print()
        _table(console, by, _lines(found, by))
    if not found.complete:
        console.print(f"\n{_incomplete(found)}", style="yellow")


def _window(found: Stats) -> str:
    first, last = (_clock(moment, found.timezone) for moment in (found.from_, found.to))
    return f"{first} to {last}, {found.timezone}"


def _clock(moment: str, zone: str) -> str:
    from zoneinfo import ZoneInfo

    at = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    return at.strftime("%Y-%m-%d %H:%M")


def _summary(totals: Totals) -> list[str]:
    if not totals.calls:
        return ["no calls"]
    rate = f"{100 * (totals.answer_rate or 0):.0f} %"
    rows = [
        f"{totals.calls:,} call{'s' * (totals.calls != 1)}, {totals.outgoing:,} of them outgoing",
        f"{totals.answered:,} answered ({rate}), {totals.unanswered:,} not, {totals.busy:,} busy, "
        f"{totals.cancelled:,} cancelled" + (f", {totals.ivr:,} IVR" if totals.ivr else ""),
    ]
    if totals.answered:
        rows.append(
            f"{span(totals.talk_seconds)} of talk: {span(totals.average_talk_seconds)} on average, "
            f"{span(totals.longest_talk_seconds)} at most"
        )
    if totals.average_ring_seconds is not None:
        rows.append(f"{span(totals.average_ring_seconds)} of ringing on average")
    return rows


def span(seconds: float | None) -> str:
    """``8s``, ``1:23``, ``12:03:09``; ``-`` for nothing."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest}s"


def _lines(found: Stats, by: str) -> list[ChartLine]:
    if by == "hour":
        return _hours_of_the_day(found.series)
    if found.interval != "none":
        return [_line(_day(point, by), [point]) for point in found.series]
    most_first = sorted(found.series, key=lambda point: (-point.calls, point.key or ""))
    return [_line(point.name or point.key or "", [point]) for point in most_first]


def _hours_of_the_day(series: Sequence[Point]) -> list[ChartLine]:
    """Each hour on the clock, of all days together; from the first to the last with calls."""
    hours: dict[int, list[Point]] = {}
    for point in series:
        hours.setdefault(int(point.local_start[11:13]), []).append(point)
    busy = [hour for hour, points in hours.items() if any(point.calls for point in points)]
    shown = range(min(busy), max(busy) + 1)
    return [_line(f"{hour:02}:00", hours.get(hour, [])) for hour in shown]


def _line(label: str, points: Sequence[Point]) -> ChartLine:
    return ChartLine(
        label,
        sum(point.calls for point in points),
        sum(point.answered for point in points),
        sum(point.talk_seconds for point in points),
        sum(point.ring_seconds for point in points),
        sum(
            point.ring_seconds / point.average_ring_seconds
            for point in points
            if point.average_ring_seconds
        ),
    )


def _day(point: Point, by: str) -> str:
    day = datetime.fromisoformat(point.local_start)
    if by == "month":
        return day.strftime("%b %Y")
    if by == "week":
        year, week, _ = day.isocalendar()
        monday = day.date() - timedelta(days=day.weekday())
        return f"{year}-W{week:02} {monday.day} {monday:%b}"
    return day.strftime("%a %Y-%m-%d")


def _table(console: Console, by: str, lines: Sequence[ChartLine]) -> None:
    from rich.text import Text

    label = min(LONGEST_LABEL, max(len(by), *(len(line.label) for line in lines)))
    rows = [[_cut(line.label, label), *_cells(line)] for line in lines]
    head = [by, *_HEAD]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    room = min(console.width, WIDEST) - sum(widths) - 2 * len(widths)
    full_block, light_block = _drawn(console, "█", "#"), _drawn(console, "░", ".")
    legend = f"  {full_block} answered {light_block} not" if room >= 16 else ""
    console.print(_row(head, widths) + legend, style="dim")
    most = max(line.calls for line in lines)
    for line, row in zip(lines, rows, strict=True):
        text = Text(_row(row, widths))
        if room >= 8:
            full, light = _bar(line, most, room)
            text.append("  " + full_block * full, "green")
            text.append(light_block * light, "dim")
        text.rstrip()
        console.print(text)


def _cells(line: ChartLine) -> list[str]:
    rate = f"{100 * line.answered / line.calls:.0f} %" if line.calls else "-"
    return [
        f"{line.calls:,}",
        rate,
        span(line.talk / line.answered if line.answered else None),
        span(line.ring / line.rang if line.rang else None),
    ]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        (f"{cell:<{width}}" if n == 0 else f"{cell:>{width}}")
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others])


def _bar(line: ChartLine, most: int, room: int) -> tuple[int, int]:
    """(answered, the rest), in characters; a line with calls has at least one."""
    whole = max(round(room * line.calls / most), min(line.calls, 1)) if most else 0
    full = round(whole * line.answered / line.calls) if line.calls else 0
    return full, whole - full


def _drawn(console: Console, block: str, plain: str) -> str:
    return block if (console.encoding or "").lower().startswith("utf") else plain


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}~"


def _incomplete(found: Stats) -> str:
    if found.counted_from is None:
        return (
            "Calls of before the upgrade are still to be counted: trunkline up does so as it runs."
        )
    since = _clock(found.counted_from, found.timezone)
    return f"Still being counted, newest first: calls before {since} are missing here."

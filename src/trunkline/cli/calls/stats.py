"""trunkline stats: what calls came to, as a table with bars."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trunkline.cli.calls.dates import moment_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import account_called, archive

if TYPE_CHECKING:
    from trunkline.history.statistics import Stats
    from trunkline.store.ports.archive import Account, Archive

By = Literal["hour", "day", "week", "month", "user", "did", "trunk", "class", "direction", "status"]

_BY_TIME = ("hour", "day", "week", "month")
_LAST = re.compile(r"([1-9][0-9]{0,3})([hdw])", re.ASCII)
_HOUR = 3_600_000_000


def stats(
    ctx: typer.Context,
    account: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The account: its name or its id. Not needed where there is only one.",
        ),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day or moment.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="The last day, or a moment; now if not given."),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            metavar="7d",
            help="The last hours (h), or whole days (d) or weeks (w) up to --to; 7d if not given.",
        ),
    ] = None,
    by: Annotated[
        By,
        typer.Option(
            help="hour (of the day), day, week, month, user, did, trunk, class, direction, status."
        ),
    ] = "day",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: the answer of GET /v1/stats.")
    ] = False,
) -> None:
    """Show what calls came to: how many, how many were answered, talk and ring times.

    DATE is ISO 8601; without an offset it is in the account's time zone. A bare date is a whole day.
    The numbers are read from sums that are kept as calls end, and stay when calls are deleted.
    """
    with archive(ctx) as opened:
        owner = _owner(opened, account)
        start, end = _window(from_, to, last, owner.timezone)
        found = _found(opened, owner, start, end, by)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(found).decode())
        return
    from trunkline.cli.calls.stats_chart import show_stats

    show_stats(found, owner.name, by)


def _owner(opened: Archive, name: str | None) -> Account:
    if name is not None:
        return account_called(opened, name)
    accounts = opened.accounts()
    if len(accounts) != 1:
        raise CommandFailed("say which account with --account: see trunkline account list")
    return accounts[0]


def _found(opened: Archive, owner: Account, start: int, end: int, by: By) -> Stats:
    from trunkline.history.intervals import Interval, TooManyIntervals, cuts
    from trunkline.history.statistics import MOST_INTERVALS, MOST_POINTS, stats
    from trunkline.history.sums import GroupBy, TooManyPoints

    interval: Interval = by if by in _BY_TIME else "none"  # type: ignore[assignment]
    group: GroupBy = "none" if by in _BY_TIME else by  # type: ignore[assignment]
    try:
        at = cuts(start, end, interval, owner.timezone, MOST_INTERVALS)
        found = opened.statistics(owner.id, group, at, MOST_POINTS)
    except (TooManyIntervals, TooManyPoints):
        raise CommandFailed("that is too much to show: take less time, or --by month") from None
    return stats(found, at, interval, group, owner.timezone, opened.trunk_names())


def _window(first: str | None, until: str | None, last: str | None, zone: str) -> tuple[int, int]:
    """Unix microseconds, whole quarters of an hour; raises CommandFailed."""
    from trunkline.history.intervals import whole_quarters

    if first is not None and last is not None:
        raise CommandFailed("--from and --last both say when it begins: leave one out")
    end = moment_of(until, zone, end=True) if until else time.time_ns() // 1000 + 1
    start = moment_of(first, zone) if first else _before(end, last or "7d", zone)
    if end <= start:
        raise CommandFailed("--to is before --from: swap them")
    return whole_quarters(start, end)


def _before(end: int, last: str, zone: str) -> int:
    """So many hours before the end; or the beginning of the first of so many days up to the end's."""
    from datetime import date, timedelta

    from trunkline.history.intervals import local

    found = _LAST.fullmatch(last)
    if found is None:
        raise CommandFailed(f"--last cannot be {last!r}: such as 24h, 7d or 4w")
    number, unit = int(found[1]), found[2]
    if unit == "h":
        return max(0, end - number * _HOUR)
    day = date.fromisoformat(local(end - 1, zone)[:10])
    days = number * (7 if unit == "w" else 1) - 1
    return moment_of(max(day - timedelta(days), date(1970, 1, 2)).isoformat(), zone)

"""What the account's calls came to: by time, and by user, number, trunk or outcome."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from trunkline.api.v1.conventions.problems import Fault, parameters_invalid, problem
from trunkline.api.v1.conventions.routing import Parameters, Request, Response, Route
from trunkline.history.dates import DateInvalid, moment
from trunkline.history.intervals import Interval, TooManyIntervals, cuts, whole_quarters
from trunkline.history.statistics import (
    MOST_INTERVALS,
    MOST_POINTS,
    MOST_YEARS,
    Stats,
    stats,
)
from trunkline.history.sums import DAY, GroupBy, Summed, TooManyPoints
from trunkline.store.ports.database import Directory

DEFAULT_DAYS = 30

_LONGEST = MOST_YEARS * 366 * DAY


class StatsQuery(Parameters, frozen=True, kw_only=True):
    from_: Annotated[
        str | None,
        Meta(
            description="RFC 3339, or a date on the account's clock; without it, 30 days before `to`."
        ),
    ] = field(default=None, name="from")
    to: Annotated[
        str | None,
        Meta(description="Likewise; a date is that whole day. Without it, now."),
    ] = None
    interval: Annotated[Interval, Meta(description="On the account's clock.")] = "day"
    group_by: GroupBy = "none"


async def read_stats(request: Request[StatsQuery, None]) -> Response:
    """What the calls came to that started in a window, from sums that are kept as calls end.

    The window is widened to whole quarters of an hour. At most 1,000 intervals and 10,000 points.
    With `group_by=user` an internal call is under both its users, and in `totals` once.
    """
    query, db = request.parameters, request.context.deps.db
    zone = await db.directory.timezone(request.account_id)
    start, end = _window(query, zone, request.now)
    try:
        at = cuts(start, end, query.interval, zone, MOST_INTERVALS)
        found = await db.statistics.summed(request.account_id, query.group_by, at, MOST_POINTS)
    except (TooManyIntervals, TooManyPoints):
        raise problem("stats_too_large") from None
    names = await _names(found, db.directory) if query.group_by == "trunk" else {}
    return Response(stats(found, at, query.interval, query.group_by, zone, names))


def _window(query: StatsQuery, zone: str, now: int) -> tuple[int, int]:
    """Raises Problem parameters_invalid and stats_too_large."""
    end = _date(query.to, "to", zone) if query.to is not None else now
    start = (
        _date(query.from_, "from", zone) if query.from_ is not None else end - DEFAULT_DAYS * DAY
    )
    if start >= end:
        raise parameters_invalid([Fault("Expected a moment before `to`.", parameter="from")])
    if end - start > _LONGEST:
        raise problem("stats_too_large", f"The window is longer than {MOST_YEARS} years.")
    return whole_quarters(start, end)


def _date(text: str, name: str, zone: str) -> int:
    try:
        return moment(text, zone, end=name == "to").at
    except DateInvalid as error:
        raise parameters_invalid([Fault(str(error), parameter=name)]) from None


async def _names(found: Summed, directory: Directory) -> dict[str, str]:
    keys = {key for each in found.series for key in each}
    owners = {key: await directory.endpoint_owner(key) for key in keys}
    return {key: owner.display_name for key, owner in owners.items() if owner is not None}


ROUTES = (
    Route("GET", "/v1/stats", "calls:read", read_stats, "Add up calls",
          parameters=StatsQuery, answer=Stats, tag="Statistics", problems=("stats_too_large",)),
)  # fmt: skip

"""Statistics as the API and the command line show them: pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from trunkline.calls.times import Time, rfc3339, rfc3339_or_none
from trunkline.history.intervals import Interval, local
from trunkline.history.sums import GroupBy, Summed, Sums

MOST_INTERVALS = 1000
MOST_POINTS = 10_000
MOST_YEARS = 10
NOTHING_YET = 1 << 62
"""Where the mark of the counted calls stands before the first step."""

Seconds = Annotated[
    float | None, Meta(description="Seconds; null where there is nothing to average.")
]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What some calls came to. Seconds are those of their records, whole and rounded up."""

    calls: int
    outgoing: Annotated[
        int,
        Meta(description="Of a user: calls that they made. Else: the direction is `from_ab`."),
    ]
    answered: Annotated[int, Meta(description="`SUCCESS`: a person answered.")]
    busy: int
    unanswered: Annotated[int, Meta(description="`UNSUCCESS`.")]
    cancelled: int
    ivr: int
    answer_rate: Annotated[
        float | None, Meta(description="`answered` / `calls`, 0 to 1; null without calls.")
    ]
    talk_seconds: Annotated[int, Meta(description="The sum of `billing_seconds`.")]
    average_talk_seconds: Annotated[Seconds, Meta(description="Of the answered calls.")]
    longest_talk_seconds: int
    ring_seconds: int
    average_ring_seconds: Annotated[Seconds, Meta(description="Of the calls that rang.")]
    duration_seconds: Annotated[int, Meta(description="From start to end, of all calls.")]


class Point(Totals, frozen=True, kw_only=True):
    """The calls that started in [start, end), of one key where they are grouped."""

    start: Time
    end: Time
    local_start: Annotated[
        str, Meta(description="`start` as the account's clock shows it, with its offset.")
    ]
    key: Annotated[
        str | None,
        Meta(description="The username, DID, trunk, class, direction or `status_detail`."),
    ]
    name: Annotated[str | None, Meta(description="A trunk's name, while there is one.")]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of a window."""

    from_: Annotated[Time, Meta(description="To whole quarters of an hour.")] = field(name="from")
    to: Time
    timezone: str
    interval: Interval
    group_by: GroupBy
    complete: Annotated[
        bool, Meta(description="False while calls of the window are still to be counted.")
    ]
    counted_from: Annotated[
        Time | None,
        Meta(
            description="Calls from here on are counted; null: all are, or none of before yet, "
            "as `complete` says."
        ),
    ]
    series: Annotated[
        list[Point],
        Meta(
            description="By time. Grouped, an interval has those keys that had calls; otherwise "
            "each interval is there."
        ),
    ]
    totals: Annotated[Totals, Meta(description="Of all calls in the window, each of them once.")]


def stats(
    found: Summed,
    cuts: list[int],
    interval: Interval,
    group: GroupBy,
    zone: str,
    names: Mapping[str, str],
) -> Stats:
    """What was found between the cuts; ``names`` are those of keys that have one."""
    mark = found.counted_from
    complete = mark is None or cuts[0] >= mark
    return Stats(
        from_=rfc3339(cuts[0]),
        to=rfc3339(cuts[-1]),
        timezone=zone,
        interval=interval,
        group_by=group,
        complete=complete,
        counted_from=rfc3339_or_none(None if complete or mark == NOTHING_YET else mark),
        series=_series(found, cuts, group, zone, names),
        totals=Totals(**_shown(found.totals)),
    )


def _series(
    found: Summed, cuts: list[int], group: GroupBy, zone: str, names: Mapping[str, str]
) -> list[Point]:
    points = []
    for (start, end), keys in zip(pairwise(cuts), found.series, strict=True):
        when = {"start": rfc3339(start), "end": rfc3339(end), "local_start": local(start, zone)}
        for key, sums in (keys or ({"": Sums()} if group == "none" else {})).items():
            named = {"key": key or None, "name": names.get(key)}
            points.append(Point(**when, **named, **_shown(sums)))  # type: ignore[arg-type]
    return points


def _shown(sums: Sums) -> dict[str, Any]:
    return {
        "calls": sums.calls,
        "outgoing": sums.outgoing,
        "answered": sums.answered,
        "busy": sums.busy,
        "unanswered": sums.unanswered,
        "cancelled": sums.cancelled,
        "ivr": sums.ivr,
        "answer_rate": _ratio(sums.answered, sums.calls, 4),
        "talk_seconds": sums.talk_seconds,
        "average_talk_seconds": _ratio(sums.talk_seconds, sums.answered, 1),
        "longest_talk_seconds": sums.longest_talk_seconds,
        "ring_seconds": sums.ring_seconds,
        "average_ring_seconds": _ratio(sums.ring_seconds, sums.rang, 1),
        "duration_seconds": sums.duration_seconds,
    }


def _ratio(part: int, whole: int, digits: int) -> float | None:
    return round(part / whole, digits) if whole else None

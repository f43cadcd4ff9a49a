"""The statistics: what calls came to.

They outlive calls that are deleted. So a quarter of an hour that is said to have more calls than there
are may only not lack any; where none is missing, its sums are to be exact. The wider ones are always
to be what their quarters are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from trunkline.calls.times import SECOND
from trunkline.history.sums import QUARTER, WIDTHS, Sums
from trunkline.store import tables
from trunkline.store.check.days import Day
from trunkline.store.check.steps import Difference, Steps
from trunkline.store.common.call_sums import COLUMNS, Bucket, Counted, summed_up, wider

Kept = Mapping[Bucket, Sequence[int]]

_DIMENSIONS = ("all", "user", "did", "trunk")
_NAMES = {
    width // SECOND: name for width, name in zip(WIDTHS, ("quarter", "3 hours", "day"), strict=True)
}
_NONE = (0,) * len(Sums.__struct_fields__)


def check(steps: Steps, day: Day) -> list[Difference]:
    """The wrong sums of a day, at most one of each bucket."""
    with steps.read() as connection:
        kept, right = _kept(connection, day, WIDTHS), _right(connection, day)
    wrong = list(_differences(kept, {**right, **wider(right)}))
    if wrong and steps.repair:
        for quarter in sorted(
            {each.starts_at // QUARTER for each in wrong if each.width == "quarter"}
        ):
            with steps.write(day.account_id) as connection:
                span = (quarter, quarter + 1)
                _replace(
                    connection,
                    _kept(connection, day, WIDTHS[:1], span),
                    _right(connection, day, span),
                )
        with steps.write(day.account_id) as connection:
            quarters = _kept(connection, day, WIDTHS[:1])
            _replace(connection, _kept(connection, day, WIDTHS[1:]), wider(quarters))
    return wrong


def _differences(kept: Kept, right: Kept) -> Iterator[Difference]:
    for bucket in sorted(kept.keys() | right.keys()):
        said, is_ = kept.get(bucket, _NONE), right.get(bucket, _NONE)
        for name, counted, there in zip(Sums.__struct_fields__, said, is_, strict=True):
            if counted != there:
                yield Difference(
                    bucket.account_id,
                    f"{name} of {bucket.dimension} {bucket.key}",
                    _NAMES[bucket.width],
                    bucket.bucket * bucket.width * SECOND,
                    counted,
                    there,
                )
                break


def _right(connection: sa.Connection, day: Day, span: tuple[int, int] | None = None) -> Kept:
    """What the quarters in [first, last) have to be; without them, those of the day."""
    low, high = span or day.buckets(QUARTER)
    kept, there = (
        _kept(connection, day, WIDTHS[:1], (low, high)),
        _there(connection, day, low, high),
    )
    said, are = _calls(kept), _calls(there)
    right: dict[Bucket, Sequence[int]] = {}
    for bucket in kept.keys() | there.keys():
        sums = there.get(bucket)
        if said[bucket.bucket] > are[bucket.bucket]:  # calls were deleted
            sums = [max(pair) for pair in zip(kept.get(bucket, _NONE), sums or _NONE, strict=True)]
        if sums is not None:
            right[bucket] = sums
    return right


def _calls(sums: Kept) -> Counter[int]:
    """How many calls each quarter has."""
    calls: Counter[int] = Counter()
    for bucket, (n, *_) in sums.items():
        calls[bucket.bucket] += n if bucket.dimension == "all" else 0
    return calls


def _kept(
    connection: sa.Connection,
    day: Day,
    widths: Sequence[int],
    span: tuple[int, int] | None = None,
) -> Kept:
    table, found = tables.call_stats, {}
    for width in widths:
        low, high = span or day.buckets(width)
        for dimension in _DIMENSIONS:
            rows = sa.select(*(table.c[name] for name in COLUMNS)).where(
                table.c.account_id == day.account_id,
                table.c.width == width // SECOND,
                table.c.dimension == dimension,
                table.c.bucket >= low,
                table.c.bucket < high,
            )
            for row in connection.execute(rows):
                found[Bucket(*row[:5])] = row[5:]
    return found


def _there(connection: sa.Connection, day: Day, low: int, high: int) -> Kept:
    """What the calls of the quarters [low, high) add up to, but for those that are yet to be counted."""
    marks, calls = tables.call_stats_marks.c, tables.calls.c
    mark = connection.scalar(
        sa.select(marks.counted_from).where(marks.account_id == day.account_id)
    )
    first = low * QUARTER if mark is None else max(mark, low * QUARTER)
    names = [name.removesuffix("_") for name in Counted._fields]
    rows = sa.select(*(calls[name] for name in names)).where(
        calls.account_id == day.account_id,
        calls.started_at >= first,
        calls.started_at < high * QUARTER,
    )
    found = connection.execute(rows, execution_options={"yield_per": 1000})
    summed = summed_up(Counted(*row) for row in found)
    return {bucket: sums for bucket, sums in summed.items() if bucket.width == QUARTER // SECOND}


def _replace(connection: sa.Connection, kept: Kept, right: Kept) -> None:
    table, key = tables.call_stats, COLUMNS[:5]
    wrong = [
        b for b in kept.keys() | right.keys() if tuple(kept.get(b, ())) != tuple(right.get(b, ()))
    ]
    if gone := [b for b in wrong if b in kept]:
        same = [table.c[name] == sa.bindparam(f"b_{name}") for name in key]
        connection.execute(
            table.delete().where(*same),
            [{f"b_{n}": v for n, v in b._asdict().items()} for b in gone],
        )
    if made := [b for b in wrong if b in right]:
        connection.execute(
            table.insert(), [dict(zip(COLUMNS, (*b, *right[b]), strict=True)) for b in made]
        )

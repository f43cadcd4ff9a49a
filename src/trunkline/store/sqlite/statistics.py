"""Statistics: counting each call where it is written, and adding up what was counted."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from trunkline.calls.record import CallRecord
from trunkline.calls.times import SECOND
from trunkline.history.sums import GroupBy, Summed, Sums, TooManyPoints, dimension, group_key, spans
from trunkline.store.common.statistics_rows import COLUMNS, Counted, summed_up
from trunkline.store.sqlite.queries import named
from trunkline.store.sqlite.reader import Reader
from trunkline.store.sqlite.writer import Writer

_FIRST, _LAST = -(1 << 62), 1 << 62


def count_calls(connection: sqlite3.Connection, records: Sequence[CallRecord]) -> None:
    """Count calls that were written just now; those among the ones yet to be counted wait for them."""
    sql = named("statistics")
    marks = {
        account_id: _FIRST if mark is None else mark
        for account_id in {record.account_id for record in records}
        for mark in [sql.counted_from(connection, account_id=account_id)]
    }
    _add(connection, [Counted.of(r) for r in records if r.started_at >= marks[r.account_id]])


def _add(connection: sqlite3.Connection, calls: Iterable[Counted]) -> None:
    named("statistics").add_sums(
        connection,
        [
            dict(zip(COLUMNS, (*bucket, *sums), strict=True))
            for bucket, sums in sorted(summed_up(calls).items())
        ],
    )


def count_older(connection: sqlite3.Connection, calls: int) -> bool:
    """One step of ``Statistics.count_older``: what is counted and the mark move together."""
    sql = named("statistics")
    mark = sql.newest_mark(connection)
    if mark is None:
        return False
    account_id, high = mark
    low = sql.start_before(connection, account_id=account_id, high=high, skip=calls - 1)
    older = sql.calls_between(
        connection, account_id=account_id, low=_FIRST if low is None else low, high=high
    )
    _add(connection, map(Counted._make, older))
    if low is None:
        sql.drop_mark(connection, account_id=account_id)
    else:
        sql.move_mark(connection, account_id=account_id, counted_from=low)
    return True


def summed(
    connection: sqlite3.Connection, account_id: str, group: GroupBy, cuts: Sequence[int], most: int
) -> Summed:
    """``Statistics.summed`` on one connection, inside its transaction."""
    series: list[dict[str, Sums]] = []
    points = 0
    for low, high in pairwise(cuts):
        series.append(_sums(connection, account_id, group, low, high))
        points += len(series[-1])
        if points > most:
            raise TooManyPoints
    totals = _sums(connection, account_id, "none", cuts[0], cuts[-1]).get("", Sums())
    mark = named("statistics").counted_from(connection, account_id=account_id)
    return Summed(series, totals, mark)


def _sums(
    connection: sqlite3.Connection, account_id: str, group: GroupBy, low: int, high: int
) -> dict[str, Sums]:
    found: dict[str, Sums] = {}
    for span in spans(low, high):
        rows = named("statistics").sums(
            connection,
            account_id=account_id,
            width=span.width // SECOND,
            dimension=dimension(group),
            low=span.low,
            high=span.high,
        )
        for kept, *sums in rows:
            key = group_key(group, kept)
            found[key] = found[key] + Sums(*sums) if key in found else Sums(*sums)
    return found


class SqliteStatistics:
    """What calls came to (see ``store.ports.statistics.Statistics``)."""

    def __init__(self, reader: Reader, writer: Writer, pages: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._writer = writer
        self._pages = pages

    async def summed(
        self, account_id: str, group: GroupBy, cuts: Sequence[int], most: int
    ) -> Summed:
        """The intervals between neighbouring cuts; raises TooManyPoints."""

        def read() -> Summed:
            return self._reader.snapshot(
                lambda connection: summed(connection, account_id, group, cuts, most)
            )

        return await asyncio.get_running_loop().run_in_executor(self._pages, read)

    async def count_older(self, calls: int) -> bool:
        """Count about so many older calls in one transaction; False when there are none left."""
        return await self._writer.run(lambda connection: count_older(connection, calls))

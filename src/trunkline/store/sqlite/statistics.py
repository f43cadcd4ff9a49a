"""Statistics: counting each call where it is written, and adding up what was counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import pairwise

from trunkline.calls.record import CallRecord
from trunkline.calls.times import SECOND
from trunkline.history.sums import GroupBy, Summed, Sums, TooManyPoints, dimension, group_key, spans
from trunkline.store.common.call_sums import COLUMNS, Counted, summed_up
from trunkline.store.ports.history import FIRST
from trunkline.store.sqlite.queries import named


async def count_calls(connection: sqlite3.Connection, records: Sequence[CallRecord]) -> None:
    """Count calls that were written just now; those among the ones yet to be counted wait for them."""
    sql = named("statistics")
    marks = {}
    for account_id in {record.account_id for record in records}:
        mark = await sql.counted_from(connection, account_id=account_id)
        marks[account_id] = FIRST if mark is None else mark
    await _add(connection, [Counted.of(r) for r in records if r.started_at >= marks[r.account_id]])


async def _add(connection: sqlite3.Connection, calls: Iterable[Counted]) -> None:
    await named("statistics").add_sums(
        connection,
        [
            dict(zip(COLUMNS, (*bucket, *sums), strict=True))
            for bucket, sums in sorted(summed_up(calls).items())
        ],
    )


async def count_older(connection: sqlite3.Connection, calls: int) -> bool:
    """One step of ``Statistics.count_older``: what is counted and the mark move together."""
    sql = named("statistics")
    mark = await sql.newest_mark(connection)
    if mark is None:
        return False
    account_id, high = mark
    low = await sql.start_before(connection, account_id=account_id, high=high, skip=calls - 1)
    older = await sql.calls_between(
        connection, account_id=account_id, low=FIRST if low is None else low, high=high
    )
    await _add(connection, map(Counted._make, older))
    if low is None:
        await sql.drop_mark(connection, account_id=account_id)
    else:
        await sql.move_mark(connection, account_id=account_id, counted_from=low)
    return True


async def summed(
    connection: sqlite3.Connection, account_id: str, group: GroupBy, cuts: Sequence[int], most: int
) -> Summed:
    """``Statistics.summed`` on one connection, inside its transaction."""
    series: list[dict[str, Sums]] = []
    points = 0
    for low, high in pairwise(cuts):
        series.append(await _sums(connection, account_id, group, low, high))
        points += len(series[-1])
        if points > most:
            raise TooManyPoints
    totals = await _sums(connection, account_id, "none", cuts[0], cuts[-1])
    mark = await named("statistics").counted_from(connection, account_id=account_id)
    return Summed(series, totals.get("", Sums()), mark)


async def _sums(
    connection: sqlite3.Connection, account_id: str, group: GroupBy, low: int, high: int
) -> dict[str, Sums]:
    found: dict[str, Sums] = {}
    for span in spans(low, high):
        rows = await named("statistics").sums(
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

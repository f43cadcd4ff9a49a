"""Statistics: counting each call where it is written, and adding up what was counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from trunkline.calls.record import CallRecord
from trunkline.calls.times import SECOND
from trunkline.history.sums import GroupBy, Summed, Sums, TooManyPoints, dimension, group_key, spans
from trunkline.store.common.call_sums import COLUMNS, Counted, summed_up
from trunkline.store.ports.history import FIRST
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.events import lock_accounts
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.text import storable

_PARTS = 200
"""More than an interval can have spans, and a group kept keys for one that it shows."""


async def count_calls(connection: Connection, records: Sequence[CallRecord]) -> None:
    """Count calls that were written in this transaction; those among the ones that are yet to be
    counted wait for them."""
    accounts = list({record.account_id for record in records})
    marks = dict(await named("statistics").marks_of(connection, account_ids=accounts))
    await _add(
        connection,
        [Counted.of(r) for r in records if r.started_at >= marks.get(r.account_id, FIRST)],
    )


async def _add(connection: Connection, calls: Iterable[Counted]) -> None:
    sums = sorted(summed_up(map(_storable, calls)).items())
    if sums:
        columns = zip(*((*bucket, *counted) for bucket, counted in sums), strict=True)
        await named("statistics").add_sums(
            connection,
            **{f"all_{name}": column for name, column in zip(COLUMNS, columns, strict=True)},
        )


def _storable(call: Counted) -> Counted:
    """As its row has it."""
    return call._replace(
        caller_username=storable(call.caller_username),
        callee_username=storable(call.callee_username),
        did_number=storable(call.did_number),
        trunk=storable(call.trunk),
    )


async def count_older(connection: Connection, calls: int) -> bool:
    """One step of ``Statistics.count_older``: what is counted and the mark move together.

    The account is locked first, as by who writes its calls.
    """
    sql = named("statistics")
    newest = await sql.newest_mark(connection)
    if newest is None:
        return False
    account_id = newest[0]
    await lock_accounts(connection, {account_id})
    high = await sql.lock_mark(connection, account_id=account_id)
    if high is None:
        return True  # another process has come to its end
    low = await sql.start_before(connection, account_id=account_id, high=high, skip=calls - 1)
    await _move(connection, account_id, low)
    older = await sql.calls_between(
        connection, account_id=account_id, low=FIRST if low is None else low, high=high
    )
    await _add(connection, map(Counted._make, older))
    return True


async def _move(connection: Connection, account_id: str, low: int | None) -> None:
    sql = named("statistics")
    if low is None:
        await sql.drop_mark(connection, account_id=account_id)
    else:
        await sql.move_mark(connection, account_id=account_id, counted_from=low)


async def summed(
    connection: Connection, account_id: str, group: GroupBy, cuts: Sequence[int], most: int
) -> Summed:
    """``Statistics.summed`` on one connection, inside its transaction."""
    series = await _sums(connection, account_id, group, list(pairwise(cuts)), most)
    (totals,) = await _sums(connection, account_id, "none", [(cuts[0], cuts[-1])], 1)
    mark = await named("statistics").counted_from(connection, account_id=account_id)
    return Summed(series, totals.get("", Sums()), mark)


async def _sums(
    connection: Connection,
    account_id: str,
    group: GroupBy,
    intervals: Sequence[tuple[int, int]],
    most: int,
) -> list[dict[str, Sums]]:
    """key -> sums of each interval; raises TooManyPoints."""
    parts = [(n, span) for n, (low, high) in enumerate(intervals) for span in spans(low, high)]
    rows: Sequence[Any] = await named("statistics").sums(
        connection,
        account_id=account_id,
        dimension=dimension(group),
        widths=[span.width // SECOND for _, span in parts],
        lows=[span.low for _, span in parts],
        highs=[span.high for _, span in parts],
        most=most * _PARTS + 1,
    )
    found: list[dict[str, Sums]] = [{} for _ in intervals]
    for place, kept, *sums in rows:
        here, key = found[parts[place - 1][0]], group_key(group, kept)
        here[key] = here[key] + Sums(*sums) if key in here else Sums(*sums)
    if sum(map(len, found)) > most:
        raise TooManyPoints
    return found

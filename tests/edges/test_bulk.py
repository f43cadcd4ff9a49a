"""What both databases promise of calls that are written many at once (``store/place.py``)."""

from __future__ import annotations

import random
from typing import Any

from edges.test_history import FILTERS, follow_all, many, read_all
from store.making import AT, office, record
from trunkline.calls.record import CallRecord
from trunkline.history.sums import DAY, QUARTER
from trunkline.store.location import Location
from trunkline.store.opening import call_writer, dry_writer
from trunkline.store.ports.database import Batch
from trunkline.store.ports.history import CallFilter

GROUPS = ("none", "user", "did", "trunk", "status")
T0 = AT // DAY * DAY
CUTS = [T0, T0 + DAY, T0 + DAY + QUARTER, T0 + 3 * DAY]


def calls_of(account_id: str, n: int) -> list[CallRecord]:
    chance = random.Random(3)
    return [
        record(
            f"i-{k}",
            account_id,
            T0 + chance.randrange(3) * DAY + chance.randrange(96) * QUARTER // 3,
            status_detail=chance.choice(["SUCCESS", "BUSY"]),
            did_number=chance.choice([None, "+8428"]),
            trunk=chance.choice([None, "trunk-1"]),
        )
        for k in range(n)
    ]


def write(place: Location, batches: list[list[CallRecord]]) -> list[list[bool]]:
    writer = call_writer(place, lambda: False)
    try:
        return [writer.write(batch) for batch in batches]
    finally:
        writer.close()


async def off_loop(work: Any, *given: Any) -> Any:
    import asyncio

    return await asyncio.to_thread(work, *given)


async def test_each_call_is_written_once(place: Location, database: Any) -> None:
    account_id = office(place)[0].account_id
    a, b, c = calls_of(account_id, 3)
    await database.calls.commit(Batch(finished=[b]))
    assert await off_loop(write, place, [[a, b, a], [b, c, a]]) == [
        [True, False, False],
        [False, True, False],
    ]
    assert await follow_all(database, account_id, CallFilter(), 2) == {"i-0", "i-1", "i-2"}
    assert await database.history.total(account_id, T0, T0 + 3 * DAY) == 3


async def test_many_at_once_come_to_what_one_by_one_does(place: Location, database: Any) -> None:
    bulk, single = (office(place, name, name)[0].account_id for name in ("bulk", "single"))
    await off_loop(write, place, [calls_of(bulk, 90)[at : at + 40] for at in (0, 40, 80)])
    for each in calls_of(single, 90):
        other = CallRecord(**{**_fields(each), "call_id": f"s{each.call_id}"})
        await database.calls.commit(Batch(finished=[other]))
    for group in GROUPS:
        sums = [
            await database.statistics.summed(account, group, CUTS, 1000)
            for account in (bulk, single)
        ]
        assert sums[0] == sums[1], group
    for low, high in ((0, 3 * DAY), (7 * QUARTER, DAY + 5), (DAY - 5, 2 * DAY + 1)):
        totals = [
            await database.history.total(account, T0 + low, T0 + high) for account in (bulk, single)
        ]
        assert totals[0] == totals[1]
    calls = await database.history.changed(bulk, CallFilter(), 0, 100)
    assert [row.update for row in calls.rows] == list(range(1, 91))


def _fields(each: CallRecord) -> dict[str, Any]:
    return {name: getattr(each, name) for name in each.__struct_fields__}


async def test_calls_written_at_once_are_found(place: Location, database: Any) -> None:
    account_id = office(place)[0].account_id
    calls = many(account_id, 300)
    await off_loop(write, place, [calls[:150], calls[150:]])
    for name, (wanted, holds) in FILTERS.items():
        expected = {call.call_id for call in calls if holds(call)}
        assert set(await read_all(database, account_id, wanted, 40)) == expected, name


async def test_an_account_that_is_no_more_stops_nothing(place: Location, database: Any) -> None:
    account_id = office(place)[0].account_id
    here, gone = record("here", account_id), record("gone", "f" * 32)
    assert await off_loop(write, place, [[gone, here]]) == [[True, True]]
    assert await follow_all(database, account_id, CallFilter(), 10) == {"here"}
    assert await database.history.total("f" * 32, AT, AT + 1) == 1


async def test_a_dry_run_tells_the_same_and_writes_nothing(place: Location, database: Any) -> None:
    account_id = office(place)[0].account_id
    a, b = calls_of(account_id, 2)
    await database.calls.commit(Batch(finished=[a]))

    def dry() -> list[bool]:
        writer = dry_writer(place)
        try:
            return writer.write([a, b, b]) + writer.write([b])
        finally:
            writer.close()

    assert await off_loop(dry) == [False, True, False, False]
    assert await follow_all(database, account_id, CallFilter(), 10) == {"i-0"}

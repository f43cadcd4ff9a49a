"""Statistics are what a scan over the calls gives, however the calls came to be counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.making import KEY, record
from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord
from trunkline.history.sums import DAY, QUARTER, Summed, Sums, TooManyPoints
from trunkline.store.ports.database import Batch, DatabaseUnavailable
from trunkline.store.ports.statistics import Statistics
from trunkline.store.sqlite import SqliteDatabase, open_database
from trunkline.store.sqlite.connect import connect_writer
from trunkline.store.sqlite.finished_calls import write_call
from trunkline.store.sqlite.queries import driven
from trunkline.store.sqlite.schema import migrate, upgrade
from trunkline.store.sqlite.statistics import count_older, summed
from trunkline.work.upkeep.take_in_older_calls import count_older_calls

T0 = 1_700_000_000_000_000 // DAY * DAY
GROUPS = ("none", "user", "did", "trunk", "class", "direction", "status")
NOT_YET = 1 << 62

quarters = st.integers(-100, 500).map(lambda n: T0 + n * QUARTER)
moments = st.builds(
    lambda at, off: at + off, quarters, st.sampled_from([-1, 0, 1, 449_000_000, QUARTER - 1])
)
parties = st.sampled_from(
    [
        Party("an1", username="an"),
        Party("binh1", username="binh"),
        Party("0287"),
        Party("x", username="Ân/é"),
    ]
)
calls = st.builds(
    dict,
    started_at=moments,
    caller=parties,
    callee=parties,
    class_=st.sampled_from(["one_one", "trunking"]),
    direction=st.sampled_from(["from_ab", "to_ab"]),
    status_detail=st.sampled_from(["SUCCESS", "BUSY", "UNSUCCESS", "CANCELLED", "IVR"]),
    did_number=st.sampled_from([None, "+8428", "1900"]),
    trunk=st.sampled_from([None, "trunk-1", "trunk-2"]),
    billing_seconds=st.integers(0, 5000),
    ringing_seconds=st.sampled_from([0, 1, 30]),
    duration_seconds=st.integers(0, 6000),
)
windows = st.lists(quarters, min_size=2, max_size=8, unique=True).map(sorted)


def made(some: list[dict[str, Any]], account: str = "acme") -> list[CallRecord]:
    return [record(f"{account}-{n}", account, **values) for n, values in enumerate(some)]


def keys(call: CallRecord, group: str) -> set[str]:
    users = {call.caller.username, call.callee.username}
    found: dict[str, set[str | None]] = {
        "none": {""},
        "user": users,
        "did": {call.did_number},
        "trunk": {call.trunk},
        "class": {call.class_},
        "direction": {call.direction},
        "status": {call.status_detail},
    }
    return {key for key in found[group] if key is not None}


def came_to(call: CallRecord, group: str, key: str) -> Sums:
    status = call.status_detail
    return Sums(
        calls=1,
        outgoing=call.caller.username == key if group == "user" else call.direction == "from_ab",
        answered=status == "SUCCESS",
        busy=status == "BUSY",
        unanswered=status == "UNSUCCESS",
        cancelled=status == "CANCELLED",
        ivr=status == "IVR",
        rang=call.ringing_seconds > 0,
        talk_seconds=call.billing_seconds,
        ring_seconds=call.ringing_seconds,
        duration_seconds=call.duration_seconds,
        longest_talk_seconds=call.billing_seconds,
    )


def scanned(some: list[CallRecord], group: str, cuts: list[int]) -> Summed:
    series: list[dict[str, Sums]] = []
    totals = Sums()
    for low, high in pairwise(cuts):
        inside = [call for call in some if low <= call.started_at < high]
        series.append({})
        for call in inside:
            totals += came_to(call, "none", "")
            for key in keys(call, group):
                series[-1][key] = series[-1].get(key, Sums()) + came_to(call, group, key)
    return Summed(series, totals, None)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path = tmp_path_factory.mktemp("statistics") / "s.db"
    upgrade(path)
    return connect_writer(path)


@contextmanager
def undone(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def forget_statistics(connection: sqlite3.Connection) -> None:
    """As a database is that was brought up from a schema without them."""
    connection.execute("DELETE FROM call_stats")
    connection.execute(
        "INSERT OR REPLACE INTO call_stats_marks SELECT DISTINCT account_id, ? FROM calls",
        (NOT_YET,),
    )


shared = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@shared
@given(some=st.lists(calls, max_size=40), asked=st.lists(windows, min_size=1, max_size=3))
def test_the_sums_are_those_of_the_rows(connection, some, asked):
    with undone(connection):
        written = made(some)
        for call in [*written, *made(some, "other"), *written]:
            driven(write_call(connection, call, 0))  # the second time it is there already
        for cuts in asked:
            for group in GROUPS:
                assert driven(summed(connection, "acme", group, cuts, 10_000)) == scanned(
                    written, group, cuts
                )


@shared
@given(
    before=st.lists(calls, max_size=30),
    meanwhile=st.lists(calls, max_size=10),
    step=st.integers(1, 12),
    cuts=windows,
)
def test_older_calls_are_counted_once_while_others_come(connection, before, meanwhile, step, cuts):
    with undone(connection):
        old, new = made(before), made(meanwhile, "new")
        new = [record(f"new-{n}", "acme", **values) for n, values in enumerate(meanwhile)]
        for call in [*old, *made(before, "other")]:
            driven(write_call(connection, call, 0))
        forget_statistics(connection)
        waiting = list(new)
        while driven(count_older(connection, step)):
            if waiting:
                driven(write_call(connection, waiting.pop(), 0))
            mark = driven(summed(connection, "acme", "none", cuts, 100)).counted_from
            if mark is not None:
                low = -(-mark // QUARTER) * QUARTER
                there = [*old, *(call for call in new if call not in waiting)]
                later = [low, low + 1000 * DAY]
                assert (
                    driven(summed(connection, "acme", "none", later, 100)).series
                    == scanned(there, "none", later).series
                )
        for call in waiting:
            driven(write_call(connection, call, 0))
        assert driven(summed(connection, "acme", "user", cuts, 10_000)) == scanned(
            [*old, *new], "user", cuts
        )


def test_an_empty_account_comes_to_nothing(connection):
    found = driven(summed(connection, "nobody", "user", [T0, T0 + QUARTER, T0 + DAY], 1))
    assert found == Summed([{}, {}], Sums(), None)


# ---- Open, as the server has it ----


@pytest.fixture
async def database(tmp_path: Path) -> Any:
    opened = open_database(tmp_path / "trunkline.db", KEY)
    yield opened
    await opened.close()


async def written(database: SqliteDatabase, days: int = 3) -> list[CallRecord]:
    some = [record(f"c{n}", "acme", T0 + n * DAY // 10) for n in range(days * 10)]
    await database.calls.commit(Batch(finished=some))
    return some


async def test_too_many_points_are_refused(database: SqliteDatabase) -> None:
    await written(database)
    cuts = [T0, T0 + DAY, T0 + 2 * DAY]
    assert (await database.statistics.summed("acme", "user", cuts, 2)).totals.calls == 20
    with pytest.raises(TooManyPoints):
        await database.statistics.summed("acme", "user", cuts, 1)


async def test_they_outlive_the_calls(database: SqliteDatabase, tmp_path: Path) -> None:
    await written(database)
    with sqlite3.connect(tmp_path / "trunkline.db") as connection:
        connection.execute("DELETE FROM calls")
    found = await database.statistics.summed("acme", "none", [T0, T0 + 3 * DAY], 100)
    assert found.totals.calls == 30


class _Failing:
    """Takes no writes at first; small steps."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics, self._failures = statistics, 1

    async def count_older(self, calls: int) -> bool:
        if self._failures:
            self._failures -= 1
            raise DatabaseUnavailable("disk full")
        return await self._statistics.count_older(7)


async def test_older_calls_are_counted_beside_the_rest(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    await written(database)
    with sqlite3.connect(tmp_path / "trunkline.db") as connection:
        forget_statistics(connection)
    window = [T0, T0 + 3 * DAY]
    before = await database.statistics.summed("acme", "none", window, 100)
    assert (before.totals.calls, before.counted_from) == (0, NOT_YET)

    await count_older_calls(_Failing(database.statistics))

    after = await database.statistics.summed("acme", "none", window, 100)
    assert (after.totals.calls, after.counted_from) == (30, None)


async def test_a_database_of_before_is_brought_up_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "trunkline.db"
    migrate(path, "0004")
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO accounts (id, name, created_at) VALUES ('new', 'new', 0)")
        connection.execute("INSERT INTO call_counts_day VALUES ('acme', 1, 1)")
    database = open_database(path, KEY)
    try:
        await database.calls.commit(Batch(finished=[record("c1", "acme", T0)]))
        window = [T0, T0 + DAY]
        waiting = await database.statistics.summed("acme", "none", window, 100)
        assert (waiting.totals.calls, waiting.counted_from) == (0, NOT_YET)
        await count_older_calls(database.statistics)
        for account, calls in (("acme", 1), ("new", 0)):
            found = await database.statistics.summed(account, "none", window, 100)
            assert (found.totals.calls, found.counted_from) == (calls, None)
    finally:
        await database.close()

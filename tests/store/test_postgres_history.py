"""On PostgreSQL: any page of history is what the plain query gives, and the counts are what the rows say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster import Cluster
from store.making import AT, KEY, office, record
from store.test_history import T0, moments
from trunkline.store.common.spans import DAY, HOUR, MINUTE
from trunkline.store.ports.database import Batch
from trunkline.store.ports.history import Marks
from trunkline.store.postgres import open_database
from trunkline.store.postgres.connect import options
from trunkline.store.postgres.finished_calls import write_calls
from trunkline.store.postgres.pages import read_page
from trunkline.store.postgres.partitions import Month, make
from trunkline.store.postgres.schema import upgrade


class Opened:
    """A connection, and the loop that it belongs to."""

    def __init__(self, url: str) -> None:
        self.run = asyncio.new_event_loop().run_until_complete
        # As a running server reads: else the plan hangs on whether autovacuum has been there.
        self.connection: Any = self.run(asyncpg.connect(url, **options()))


@pytest.fixture(scope="module")
def opened(cluster: Cluster) -> Iterator[Opened]:
    name = cluster.create()
    upgrade(cluster.url(name))
    opened = Opened(cluster.url(name))
    for days in range(0, 60, 20):
        month = Month.of(T0 + days * DAY)
        assert month is not None
        opened.run(make(opened.connection, month))
    yield opened
    opened.run(opened.connection.close())
    cluster.drop(name)


async def plain(
    connection: Any, account: str, low: int, high: int, limit: int, page: int
) -> tuple[int, list[str]]:
    where = "account_id = $1 AND started_at >= $2 AND started_at < $3"
    total = await connection.fetchval(
        f"SELECT count(*) FROM calls WHERE {where}", account, low, high
    )
    rows = await connection.fetch(
        f"SELECT id FROM calls WHERE {where} ORDER BY started_at DESC, id DESC LIMIT $4 OFFSET $5",
        *(account, low, high, limit, (page - 1) * limit),
    )
    return total, [call_id for (call_id,) in rows]


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    starts=st.lists(moments, max_size=60),
    twice=st.booleans(),
    windows=st.lists(
        st.tuples(moments, moments, st.integers(1, 100), st.integers(1, 70)), min_size=1, max_size=8
    ),
)
def test_a_page_is_what_the_plain_query_gives(opened, starts, twice, windows):
    async def compare(connection: Any) -> None:
        calls = [
            record(f"{account[0]}{n}", account, started_at)
            for n, started_at in enumerate(starts * (1 + twice))
            for account in ("acme", "other")
        ]
        half = len(calls) // 2
        ids = [call.call_id for call in calls]
        assert await write_calls(connection, calls[:half], {}, 0) == set(ids[:half])
        assert await write_calls(connection, calls, {}, 0) == set(ids[half:])
        for start, end, limit, page in windows:
            found = await read_page(connection, "acme", start, end, limit, page)
            got = (found.total, [row.call_id for row in found.rows])
            assert got == await plain(connection, "acme", start, end, limit, page)
        await counts_agree(connection)

    async def in_a_transaction_of_its_own() -> None:
        transaction = opened.connection.transaction()
        await transaction.start()
        try:
            await compare(opened.connection)
        finally:
            await transaction.rollback()

    opened.run(in_a_transaction_of_its_own())


async def counts_agree(connection: Any) -> None:
    for name, width in (("minute", MINUTE), ("hour", HOUR), ("day", DAY)):
        counted = await connection.fetch(
            f"SELECT account_id, bucket, n FROM call_counts_{name} ORDER BY 1, 2"
        )
        there = await connection.fetch(
            "SELECT account_id, floor(started_at::numeric / $1)::bigint, count(*)"
            " FROM calls GROUP BY 1, 2 ORDER BY 1, 2",
            width,
        )
        assert [tuple(row) for row in counted] == [tuple(row) for row in there]


async def test_a_call_of_any_month_is_written_and_found(postgres_url):
    account_id = office(postgres_url)[0].account_id
    database = open_database(postgres_url, KEY)
    times = [AT, 0, -1, -5_000 * DAY, 100 * DAY, 4_102_444_800_000_000 - 1]
    times += [4_102_444_800_000_000, 1 << 55, 951_782_400_000_000]
    await asyncio.gather(
        *(
            database.calls.commit(Batch(finished=[record(f"c{n}", account_id, at)]))
            for n, at in enumerate(times)
        )
    )
    page = await database.calls.page(account_id, -(1 << 62), 1 << 62, 100, 1)
    newest_first = sorted(range(len(times)), key=lambda n: -times[n])
    assert (page.total, [row.call_id for row in page.rows]) == (
        len(times),
        [f"c{n}" for n in newest_first],
    )
    again = [record(f"c{n}", account_id, at + 40 * DAY) for n, at in enumerate(times[:4])]
    await database.calls.commit(Batch(finished=again))  # the same ids in other months
    assert (await database.calls.page(account_id, -(1 << 62), 1 << 62, 1, 1)).total == len(times)
    connection = await asyncpg.connect(postgres_url)
    await counts_agree(connection)
    await connection.close()
    await database.close()


async def test_months_are_made_ahead(postgres_url):
    database = open_database(postgres_url, KEY)
    await database.retention.tidy(AT)
    await database.retention.tidy(AT)
    await database.close()
    connection = await asyncpg.connect(postgres_url)
    tables = await connection.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'calls'::regclass"
    )
    await connection.close()
    assert len(tables) == 2 + 3


async def test_processes_that_need_the_same_month_at_once_make_it_once(postgres_url):
    account_id = office(postgres_url)[0].account_id
    databases = [open_database(postgres_url, KEY) for _ in range(4)]
    await asyncio.gather(
        *(
            database.calls.commit(Batch(finished=[record(f"c{n}", account_id)]))
            for n, database in enumerate(databases)
        )
    )
    assert (await databases[0].calls.page(account_id, AT, AT + 1, 10, 1)).total == 4
    for database in databases:
        await database.close()


def test_a_month_begins_where_the_one_before_ends():
    for at in (0, AT, AT + 31 * DAY, 951_782_400_000_000, 4_102_444_799_999_999):
        month = Month.of(at)
        assert month is not None
        assert month.start <= at < Month(month + 1).start
        assert Month.of(month.start) == month
        assert Month.of(month.start - 1) != month
    assert Month.of(AT).table == "calls_2023_11"
    assert Month.of(-1) is Month.of(4_102_444_800_000_000) is None


def test_a_page_reads_no_more_than_its_months(opened):
    low = T0
    plan = opened.run(
        opened.connection.fetch(
            "EXPLAIN SELECT id FROM calls WHERE account_id = 'a' AND started_at >= $1::bigint "
            "AND started_at < $2 ORDER BY started_at DESC, id DESC LIMIT 20 OFFSET 3".replace(
                "$1::bigint", str(low)
            ).replace("$2", str(low + MINUTE))
        )
    )
    steps = " ".join(row[0] for row in plan)
    assert "Seq Scan" not in steps
    assert "Sort" not in steps
    assert steps.count("Index") == 2  # the scan of one table, and its condition


async def test_a_month_goes_when_it_is_empty_and_comes_again(postgres_url):
    account_id = office(postgres_url)[0].account_id
    here, there = open_database(postgres_url, KEY), open_database(postgres_url, KEY)
    held = record("held", account_id, AT + 40 * DAY)
    calls = [record("a", account_id, AT), record("b", account_id, AT + 5), held]
    for database in (here, there):
        await database.calls.commit(Batch(finished=calls))
    await here.history.mark(account_id, "held", Marks(hold=True), AT)
    now = AT + 400 * DAY
    assert await here.retention.tidy(now) == 0
    step = await here.retention.delete(account_id, "calls", now, None, 10, now)
    assert step.rows == 2
    assert await here.retention.tidy(AT + 50 * DAY) == 0  # too young
    assert await here.retention.tidy(now) == 1
    assert await here.retention.tidy(now) == 0
    again = [record(f"again{n}", account_id, AT) for n in range(2)]
    for database, call in zip((there, here), again, strict=True):
        await asyncio.gather(
            database.calls.commit(Batch(finished=[call])),
            database.calls.commit(Batch(finished=[record(f"x{call.call_id}", account_id, now)])),
        )
    page = await here.calls.page(account_id, 0, 1 << 61, 100, 1)
    assert page.total == len(page.rows) == 5
    for database in (here, there):
        await database.close()

"""Every listener of every process hears each event once, in order, whatever happens to connections."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cluster import Cluster
from db.making import KEY, announcement, office
from trunkline.bus.postgres import PostgresBus
from trunkline.events.stored import StoredEvent
from trunkline.store.postgres import PostgresDatabase, open_database
from trunkline.store.postgres.events import CHANNEL

TESTS = Path(__file__).parent.parent


class Server:
    """What one process has: a database, a bus, and a listener that notes what it hears."""

    def __init__(self, url: str, database: PostgresDatabase, wants: Any = None) -> None:
        self.database = database
        self.bus = PostgresBus(url, CHANNEL, database.events.newest, database.events.after)
        self.heard: dict[str, list[int]] = {}
        self.bus.listen(self._hear, wants)

    def _hear(self, events: Sequence[StoredEvent]) -> None:
        for event in events:
            self.heard.setdefault(event.account_id, []).append(event.seq)

    async def tell(self, *account_ids: str) -> None:
        told = [announcement(each) for each in account_ids]
        self.bus.publish(await self.database.events.append(told))


@asynccontextmanager
async def server(url: str, wants: Any = None) -> AsyncIterator[Server]:
    database = open_database(url, KEY)
    one = Server(url, database, wants)
    running = asyncio.create_task(one.bus.run())
    await asyncio.wait_for(one.bus.ready.wait(), 30)
    try:
        yield one
    finally:
        running.cancel()
        await asyncio.wait([running])
        await database.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (there is no event for it)
            await asyncio.sleep(0.01)


@pytest.fixture
def accounts(postgres_url: str) -> list[str]:
    return [office(postgres_url, f"a{n}", f"s{n}")[0].account_id for n in range(5)]


def listeners(url: str, what: str = "pid") -> list[Any]:
    """What is asked of each connection that listens."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = f"SELECT {what} FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        return connection.execute(query).fetchall()  # type: ignore[call-overload]


async def test_processes_hear_each_other_once_and_in_order(postgres_url, accounts):
    async with server(postgres_url) as one, server(postgres_url) as two:
        other = await asyncio.create_subprocess_exec(
            *(sys.executable, str(TESTS / "bus/telling_process.py"), postgres_url, "40", *accounts),
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        for _ in range(60):
            await asyncio.gather(one.tell(*accounts), two.tell(*accounts), one.tell(accounts[0]))
        assert await other.wait() == 0
        bounds = {each: (await one.database.events.bounds(each))[1] for each in accounts}
        assert bounds[accounts[0]] == 60 * 3 + sum(1 + n % 3 for n in range(40))
        whole = {each: list(range(1, last + 1)) for each, last in bounds.items()}
        await until(lambda: all(len(s.heard[a]) >= bounds[a] for s in (one, two) for a in accounts))
        assert one.heard == two.heard == whole


async def test_what_was_there_before_is_not_told_and_a_new_account_is_from_its_first(
    postgres_url, accounts
):
    async with server(postgres_url) as early:
        await early.tell(accounts[0])
        async with server(postgres_url) as late:
            new = office(postgres_url, "new", "new1")[0].account_id
            await early.tell(accounts[0], new, new)
            await until(lambda: late.heard == {accounts[0]: [2], new: [1, 2]})
            assert early.heard == {accounts[0]: [1, 2], new: [1, 2]}


async def test_what_a_lost_connection_missed_is_read(postgres_url, accounts):
    async with server(postgres_url) as one, server(postgres_url) as two:
        for _ in range(5):
            await until(lambda: len(listeners(postgres_url)) == 2)
            await two.tell(*accounts)
            assert listeners(postgres_url, "pg_terminate_backend(pid)") == [(True,)] * 2
            await two.tell(*accounts)
            await asyncio.gather(one.tell(accounts[1]), two.tell(accounts[1]))
        last = {each: (await one.database.events.bounds(each))[1] for each in accounts}
        whole = {each: list(range(1, newest + 1)) for each, newest in last.items()}
        await until(lambda: one.heard == two.heard == whole)


async def test_an_account_that_nobody_wants_is_not_read_until_somebody_does(postgres_url, accounts):
    wanted: set[str] = set()
    async with (
        server(postgres_url, wanted.__contains__) as reader,
        server(postgres_url) as teller,
    ):
        await teller.tell(accounts[0], accounts[1])
        await until(lambda: reader.bus._handed_out.get(accounts[1]) == 1)
        wanted.add(accounts[0])
        known = (await reader.database.events.bounds(accounts[0]))[1]
        await teller.tell(accounts[0], accounts[1])
        await until(lambda: accounts[0] in reader.heard)
        assert (known, reader.heard) == (1, {accounts[0]: [2]})


async def test_a_crashed_server_costs_no_listener_an_event(request):
    cluster = Cluster()
    request.addfinalizer(cluster.close)
    url = cluster.url(cluster.create())
    account_id = office(url)[0].account_id
    async with server(url) as one, server(url) as two:
        await one.tell(account_id)
        await until(lambda: two.heard == {account_id: [1]})
        await asyncio.to_thread(cluster.restart)
        for _ in range(3):
            await one.tell(account_id)
        await until(lambda: one.heard == two.heard == {account_id: [1, 2, 3, 4]})

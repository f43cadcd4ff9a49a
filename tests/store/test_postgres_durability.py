"""On PostgreSQL: what was acknowledged is there, once, whatever happened to connections and server."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import psycopg
import pytest

from cluster import Cluster
from store.making import AT, KEY, announcement, office, record, started
from trunkline.calls.cel import LogPosition
from trunkline.store.ports.database import Batch, DatabaseUnavailable
from trunkline.store.postgres import PostgresDatabase, open_database, reader
from trunkline.store.postgres import transactions as lane

TESTS = Path(__file__).parent.parent


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture
def account_id(postgres_url: str) -> str:
    return office(postgres_url)[0].account_id


@pytest.fixture
async def database(postgres_url: str) -> Any:
    database = open_database(postgres_url, KEY)
    yield database
    await database.close()


def numbered_batch(n: int, account_id: str) -> Batch:
    return Batch(
        facts=[started(f"c{n}", account_id)],
        finished=[record(f"c{n}", account_id, recording=f"call_recording_c{n}.mp3")],
        announcements=[announcement(account_id, n)],
        node_id=f"node{n % 8}",
        position=LogPosition(1, n),
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 (there is no event for it)
            await asyncio.sleep(0.01)


async def all_there_once(database: PostgresDatabase, account_id: str, numbers: set[int]) -> None:
    """Exactly these batches are in the database, each once, in every table."""
    events = await database.events.after(account_id, 0, 1_000_000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert await database.events.bounds(account_id) == (1, len(events))
    assert sorted(event.subject for event in events) == sorted(f"leg-{n}" for n in numbers)
    page = await database.calls.page(account_id, AT, AT + 1, 100_000, 1)
    assert page.total == len(page.rows) == len(numbers) == await database.recordings.waiting()
    for n in numbers:
        assert len(await database.calls.facts(f"c{n}")) == 1
        assert await database.calls.known(f"c{n}")


async def test_a_server_that_crashes_loses_and_doubles_nothing(own_cluster):
    url = own_cluster.url(own_cluster.create())
    account_id = office(url)[0].account_id
    database = open_database(url, KEY)
    numbers, acknowledged, refused = itertools.count(), set[int](), 0
    over = asyncio.Event()

    async def write() -> None:
        nonlocal refused
        while not over.is_set():
            n = next(numbers)
            while True:
                try:
                    await database.calls.commit(numbered_batch(n, account_id))
                except DatabaseUnavailable:
                    refused += 1
                    await asyncio.sleep(0.05)
                else:
                    acknowledged.add(n)
                    break

    writers = [asyncio.create_task(write()) for _ in range(16)]
    for crash in range(4):
        enough = len(acknowledged) + 200
        await until(lambda: len(acknowledged) >= enough)  # noqa: B023
        # A pause is long enough for writes to be refused.
        await asyncio.to_thread(own_cluster.restart, partial(time.sleep, crash % 2))
    over.set()
    async with asyncio.timeout(120):
        await asyncio.gather(*writers)
    assert refused
    await all_there_once(database, account_id, acknowledged)
    await database.close()


async def test_other_work_goes_on_by_itself_after_a_crash(own_cluster):
    url = own_cluster.url(own_cluster.create())
    account_id = office(url)[0].account_id
    database = open_database(url, KEY)
    await database.ping()
    assert (await database.events.bounds(account_id)) == (1, 0)
    await asyncio.to_thread(own_cluster.stop)
    for ask in (
        lambda: database.ping(),
        lambda: database.events.append([announcement(account_id)]),
        lambda: database.events.bounds(account_id),
        lambda: database.calls.page(account_id, 0, 1, 1, 1),
        lambda: database.recordings.claim("x", "w", 1, 2),
    ):
        with pytest.raises(DatabaseUnavailable) as caught:
            await ask()
        assert "trunkline:" not in str(caught.value)  # no URL, no password
    await asyncio.to_thread(own_cluster.start)
    await database.ping()
    assert (await database.events.bounds(account_id)) == (1, 0)
    assert [event.seq for event in await database.events.append([announcement(account_id)])] == [1]
    await database.close()


@pytest.mark.parametrize("lines", [1, 40, 300])
async def test_kill_9_of_a_writer_loses_nothing_acknowledged(postgres_url, account_id, lines):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(TESTS / "store/writing_process.py"), postgres_url, account_id),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert process.stdout is not None
    told = [int(await process.stdout.readline()) for _ in range(lines)]
    process.kill()
    told += [int(line) for line in (await process.stdout.read()).splitlines(True) if b"\n" in line]
    await process.wait()
    database = open_database(postgres_url, KEY)
    written = {
        int(event.subject.removeprefix("leg-"))
        for event in await database.events.after(account_id, 0, 1_000_000)
    }
    assert set(told) <= written
    await all_there_once(database, account_id, written)
    await database.close()


# ---- COMMIT, and no answer --------------------------------------------------------------------------


class Cut:
    """Cuts a lane's connection at its next COMMIT, in the way it is told."""

    url = ""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.how: Callable[[Any, str], Awaitable[None]] | None = None
        self.late: list[asyncio.Task[None]] = []
        self.kept: Any = None
        execute = asyncpg.Connection.execute
        cut = self

        async def watched(connection: Any, statement: str, *given: Any, **more: Any) -> Any:
            if cut.how is not None and statement.endswith("COMMIT"):
                how, cut.how = cut.how, None
                await how(connection, statement)
                raise asyncpg.ConnectionDoesNotExistError("cut")
            return await execute(connection, statement, *given, **more)

        def terminate(connection: Any) -> None:
            if connection is not cut.kept:
                cut.terminate(connection)

        self.execute, self.terminate = execute, asyncpg.Connection.terminate
        monkeypatch.setattr(asyncpg.Connection, "execute", watched)
        monkeypatch.setattr(asyncpg.Connection, "terminate", terminate)

    async def after_it(self, connection: Any, statement: str) -> None:
        """The server has committed; its answer is lost."""
        await self.execute(connection, statement)
        connection.terminate()

    async def before_it(self, connection: Any, statement: str) -> None:
        """The server never hears of it."""
        connection.terminate()

    async def on_its_way(self, connection: Any, statement: str) -> None:
        """The server hears of it only after the lane has given the connection up."""
        self.kept = connection

        async def when_shut() -> None:
            with psycopg.connect(self.url, autocommit=True) as other:
                shut = "SELECT 1 FROM commit_marks WHERE NOT open"
                await until(lambda: bool(other.execute(shut).fetchall()))
            with pytest.raises(asyncpg.DivisionByZeroError):
                await self.execute(connection, statement)
            self.terminate(connection)

        self.late.append(asyncio.create_task(when_shut()))


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> Cut:
    cut = Cut(monkeypatch)
    cut.url = postgres_url
    return cut


@pytest.mark.parametrize("how", ["after_it", "before_it", "on_its_way"])
async def test_a_commit_without_an_answer_is_made_once(database, account_id, cut, how):
    await database.calls.commit(numbered_batch(0, account_id))
    cut.how = getattr(cut, how)
    (event,) = await database.calls.commit(numbered_batch(1, account_id))
    assert event.seq == 2
    await database.calls.commit(numbered_batch(2, account_id))
    await asyncio.gather(*cut.late)
    await all_there_once(database, account_id, {0, 1, 2})


@pytest.mark.parametrize("how", ["after_it", "before_it", "on_its_way"])
async def test_other_work_whose_commit_is_not_answered_is_done_once(database, account_id, cut, how):
    cut.how = getattr(cut, how)
    assert str(await database.requests.claim("app", "key", "f", "c", 0, 9)) == "Claimed()"
    await asyncio.gather(*cut.late)
    assert await database.keys.used("0" * 32, 1) is None


async def test_what_waits_behind_an_unclear_commit_is_refused_while_the_server_is_away(own_cluster):
    url = own_cluster.url(own_cluster.create())
    account_id = office(url)[0].account_id
    database = open_database(url, KEY)
    await database.calls.commit(numbered_batch(0, account_id))
    with pytest.MonkeyPatch.context() as patch:
        cut = Cut(patch)

        async def crash(connection: Any, statement: str) -> None:
            await cut.execute(connection, statement)
            await asyncio.to_thread(own_cluster.stop)

        cut.how = crash
        unclear = asyncio.create_task(database.calls.commit(numbered_batch(1, account_id)))
        await until(lambda: cut.how is None)
        with pytest.raises(DatabaseUnavailable):
            await database.calls.commit(numbered_batch(2, account_id))
        assert not unclear.done()
        await asyncio.to_thread(own_cluster.start)
        assert [event.seq for event in await unclear] == [2]
    await all_there_once(database, account_id, {0, 1})
    await database.close()


async def test_a_server_that_hangs_is_not_waited_for_by_what_lets_requests_in(
    own_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = own_cluster.url(own_cluster.create())
    office(url)
    database = open_database(url, KEY)
    assert await database.directory.endpoint_owner("an1") is not None
    monkeypatch.setattr(reader, "SOON", 0.2)
    own_cluster.send(signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):  # a statement has 35 seconds
            for _ in range(2 * reader.MOST_CONNECTIONS):
                with pytest.raises(DatabaseUnavailable):
                    await database.directory.endpoint_owner("an1")
    finally:
        own_cluster.send(signal.SIGCONT)
    monkeypatch.undo()
    assert await database.directory.endpoint_owner("an1") is not None
    await database.close()


# ---- Many together -----------------------------------------------------------------------------------


async def test_batches_that_wait_together_share_a_commit(database, account_id, monkeypatch):
    commits = 0
    commit = lane.Lane._commit

    async def counted(self: Any, connection: Any) -> None:
        nonlocal commits
        commits += 1
        await commit(self, connection)

    await database.calls.commit(numbered_batch(0, account_id))
    monkeypatch.setattr(lane.Lane, "_commit", counted)
    results = await asyncio.gather(
        *(database.calls.commit(numbered_batch(n, account_id)) for n in range(1, 301))
    )
    assert [event.seq for (event,) in results] == list(range(2, 302))
    assert commits <= 2
    await all_there_once(database, account_id, set(range(301)))


async def test_two_processes_that_write_of_the_same_accounts_do_not_deadlock(postgres_url):
    accounts = [office(postgres_url, f"a{n}", f"s{n}")[0].account_id for n in range(6)]
    one, two = open_database(postgres_url, KEY), open_database(postgres_url, KEY)

    async def write(database: PostgresDatabase, name: str, order: list[str]) -> None:
        for n in range(25):
            parts = [
                Batch(
                    announcements=[announcement(each, n)],
                    finished=[record(f"{name}{n}-{each}", each, AT + n)],
                )
                for each in order
            ]
            await asyncio.gather(*(database.calls.commit(part) for part in parts))

    await asyncio.gather(
        *(write(one, f"x{n}-", accounts) for n in range(4)),
        *(write(two, f"y{n}-", accounts[::-1]) for n in range(4)),
    )
    for each in accounts:
        assert await one.events.bounds(each) == (1, 200)
        told = [msgspec.json.decode(event.body) for event in await one.events.after(each, 0, 300)]
        assert [said["Event-Seq"] for said in told] == list(range(1, 201))
        assert (await two.calls.page(each, AT, AT + 100, 1, 1)).total == 200
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row == (0,)
    await one.close()
    await two.close()


async def test_closing_writes_what_is_queued(postgres_url, account_id):
    database = open_database(postgres_url, KEY)
    writes = [
        asyncio.ensure_future(database.calls.commit(numbered_batch(n, account_id)))
        for n in range(700)
    ]
    other = asyncio.ensure_future(database.requests.claim("app", "key", "f", "c", 0, 9))
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes, other)
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    with pytest.raises(DatabaseUnavailable):
        await database.calls.commit(Batch())
    with pytest.raises(DatabaseUnavailable):
        await database.events.bounds(account_id)
    again = open_database(postgres_url, KEY)
    await all_there_once(again, account_id, set(range(700)))
    await again.close()


async def test_a_wait_that_is_cancelled_harms_nobody(database, account_id):
    writes = [
        asyncio.ensure_future(database.events.append([announcement(account_id, n)]))
        for n in range(10)
    ]
    claim = asyncio.ensure_future(database.requests.claim("app", "key", "f", "c", 0, 9))
    await asyncio.sleep(0)
    writes[3].cancel()
    claim.cancel()
    results = await asyncio.gather(*writes, claim, return_exceptions=True)
    assert isinstance(results[3], asyncio.CancelledError)
    assert isinstance(results[-1], asyncio.CancelledError)
    assert await database.events.bounds(account_id) == (1, 10)


async def test_text_that_postgresql_cannot_hold_is_stored_without_it(database, account_id):
    odd = record("c1", account_id, client_ref="a\0b", trunk="t\0")
    await database.calls.commit(
        Batch(finished=[odd], announcements=[announcement(account_id, call_id="c\0")])
    )
    (event,) = await database.events.after(account_id, 0, 9)
    assert event.call_id == "c"
    assert await database.directory.device(account_id, "an\0") is None
    assert await database.events.of_call(account_id, "c\0", 0, 9) == []


async def test_commits_wait_for_the_disk_whatever_the_server_is_set_to(postgres_url, account_id):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER ROLE trunkline SET synchronous_commit = off")
    try:
        found = await _setting(postgres_url, "synchronous_commit")
        assert found == "on"
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("ALTER ROLE trunkline RESET synchronous_commit")


async def _setting(url: str, name: str) -> str:
    from trunkline.store.postgres import connect

    connection = await connect.connect(url)
    try:
        return str(await connection.fetchval(f"SHOW {name}"))
    finally:
        await connect.close(connection)

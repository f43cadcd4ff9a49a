"""Locks between processes: two databases stand for them, each with connections of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cluster import Cluster
from trunkline.server.settings import Settings
from trunkline.server.wiring import database as database_parts
from trunkline.server.wiring.database import as_main
from trunkline.store.ports.database import Batch, DatabaseUnavailable
from trunkline.store.postgres import open_database
from trunkline.store.postgres.advisory_lock import NODE, DatabaseTaken, OneAtATime, Sole
from trunkline.store.secrets import InstallationKey


@pytest.fixture
async def processes(postgres_url: str) -> AsyncIterator[list[Any]]:
    both = [open_database(postgres_url, InstallationKey(b"k" * 32)) for _ in range(2)]
    yield both
    await asyncio.gather(*(each.close() for each in both))


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


async def test_a_request_is_answered_by_one_process_at_a_time(processes: list[Any]) -> None:
    one, other = (each.requests for each in processes)
    async with (
        one.alone("app", "key") as first,
        other.alone("app", "key") as second,
        other.alone("app", "another") as third,
    ):
        assert (first, second, third) == (True, False, True)
    async with other.alone("app", "key") as later:
        assert later


async def test_many_requests_share_the_one_connection(processes: list[Any]) -> None:
    async def hold(requests: Any, key: str) -> bool:
        async with requests.alone("app", key) as alone:
            await asyncio.sleep(0.05)
            return bool(alone)

    one, other = (each.requests for each in processes)
    held = await asyncio.gather(*(hold(each, f"k{n}") for n in range(20) for each in (one, other)))
    assert held.count(True) >= 20


async def test_a_lost_connection_lets_go_and_is_made_anew(
    processes: list[Any], cluster: Cluster, postgres_url: str
) -> None:
    one, other = (each.requests for each in processes)
    async with one.alone("app", "key"):
        name = postgres_url.rpartition("/")[2]
        cluster.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        async with other.alone("app", "key") as alone:
            assert alone
    async with one.alone("app", "key") as again:
        assert again


async def test_there_is_one_main_server(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_parts, "PREDECESSOR", 0.1)
    settings = Settings(database=postgres_url)
    async with as_main(settings, "tl1"):
        with pytest.raises(DatabaseTaken, match=r"a main server at 127\.0\.0\.1"):
            async with as_main(settings, "tl1"):
                pass
    async with as_main(settings, "tl1"):
        pass


async def test_a_node_has_one_server(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_parts, "PREDECESSOR", 1.0)
    settings, elsewhere = Settings(database=postgres_url), OneAtATime(postgres_url)
    async with elsewhere.alone(f"{NODE}tl1"):
        with pytest.raises(
            DatabaseTaken, match=r"a server at 127\.0\.0\.1 has this data directory's node"
        ):
            async with as_main(settings, "tl1"):
                pass
        async with as_main(settings, "tl2"):
            pass
    async with as_main(settings, "tl1"):
        pass
    await elsewhere.close()


async def test_a_node_is_away_while_it_has_no_server(
    postgres_url: str, processes: list[Any]
) -> None:
    calls = processes[0].calls
    for node_id in ("tl1", "tl2"):
        opened = [(node_id, "a" * 32, 1)]
        await calls.commit(Batch(opened=opened, node_id=node_id))
    async with as_main(Settings(database=postgres_url), "tl1"):
        assert await calls.nodes_away("tl2") == []
        assert await calls.nodes_away("tl1") == ["tl2"]
    async with asyncio.timeout(10):  # PostgreSQL clears a closed connection away in a moment
        while await calls.nodes_away("tl2") != ["tl1"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_sqlite_file_has_no_such_lock(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path))
    async with as_main(settings, "tl1"), as_main(settings, "tl1"):
        pass


async def test_the_main_server_stays_it_over_a_restart_of_postgresql(own_cluster: Cluster) -> None:
    settings = Settings(database=own_cluster.url(own_cluster.create()))
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    async with as_main(settings, "tl1"):
        await asyncio.to_thread(own_cluster.restart)
        async with asyncio.timeout(30):
            while await asyncio.to_thread(_value, settings.database, held) == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        with pytest.raises(DatabaseTaken):
            await Sole(settings.database, "tl2").take(0.1)


def _value(url: str, query: str) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


async def test_who_loses_the_database_to_another_main_server_ends(
    cluster: Cluster, postgres_url: str
) -> None:
    began = asyncio.Event()

    async def serve() -> None:
        async with as_main(Settings(database=postgres_url), "tl1"):
            began.set()
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await began.wait()
    other, mains = Sole(postgres_url, "tl2"), "application_name LIKE 'trunkline main%'"
    name = postgres_url.rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    taken = False
    while not taken:  # until the second was faster
        await asyncio.to_thread(cluster.execute, f"{cut} AND {mains}")
        with suppress(DatabaseTaken, DatabaseUnavailable):
            await other.take(0.01)
            taken = True
    with pytest.raises(DatabaseTaken):
        await asyncio.wait_for(serving, 30)
    other.close()

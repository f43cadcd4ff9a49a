"""What was acknowledged is there, whatever happened."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from store.making import AT, KEY, announcement, office, started
from trunkline.store.ports.database import Batch, DatabaseUnavailable
from trunkline.store.sqlite import connect, open_database, writer

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize("lines", [1, 40, 300])
async def test_kill_9_loses_nothing_acknowledged(tmp_path, lines):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    with subprocess.Popen(  # noqa: ASYNC220 (nothing else runs here)
        [sys.executable, str(TESTS / "store/writing_process.py"), str(path), account_id],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    ) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(lines)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout if line.endswith(b"\n")]
    database = open_database(path, KEY)
    events = await database.events.after(account_id, 0, 1_000_000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (await database.events.bounds(account_id)) == (1, len(events))
    page = await database.calls.page(account_id, AT, AT + 1, 100, 1)
    assert page.total == len(events) == (await database.recordings.waiting())
    for n in acknowledged:
        assert await database.calls.known(f"c{n}")
        assert len(await database.recordings.of_raw(f"c{n}")) == 1
    await database.close()


async def test_writes_that_wait_together_share_a_commit(tmp_path):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    database = open_database(path, KEY)
    commits = []
    holding, go_on = threading.Event(), threading.Event()

    async def hold(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(commits.append)
        holding.set()
        go_on.wait(30)

    first = asyncio.ensure_future(database._writer.run(hold))
    await asyncio.to_thread(holding.wait, 30)
    rest = [
        asyncio.ensure_future(database.calls.commit(Batch(facts=[started(f"c{n}", account_id)])))
        for n in range(50)
    ]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, *rest)
    assert [line for line in commits if line in {"COMMIT", "BEGIN IMMEDIATE"}] == [
        "COMMIT",
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    assert all([await database.calls.facts(f"c{n}") for n in range(50)])
    await database.close()


async def test_what_waits_for_something_else_amid_a_transaction_is_refused(tmp_path):
    account_id = office(tmp_path / "trunkline.db")[0].account_id
    database = open_database(tmp_path / "trunkline.db", KEY)

    async def wait(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM users")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="amid a transaction"):
        await database._writer.run(wait)
    assert await database.directory.device(account_id, "an1")
    await database.close()


async def test_a_locked_database_is_unavailable_and_then_is_again(tmp_path, monkeypatch):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.1)
    database = open_database(path, KEY)
    other = connect.connect_writer(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    with pytest.raises(DatabaseUnavailable):
        await database.events.append([announcement(account_id)])
    other.execute("ROLLBACK")
    await database.ping()
    assert [event.seq for event in await database.events.append([announcement(account_id)])] == [1]
    other.close()
    await database.close()


async def test_a_full_disk_is_unavailable_for_all_who_share_the_commit(tmp_path):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    database = open_database(path, KEY)

    def pages(most: int) -> writer.Operation[None]:
        async def set_most(connection: sqlite3.Connection) -> None:
            connection.execute(f"PRAGMA max_page_count = {most}")

        return set_most

    await database._writer.run(pages(1))  # SQLite takes the least it can: what there is
    big = "x" * 100_000
    results = await asyncio.gather(
        *(database.calls.commit(Batch(facts=[started(big, account_id)])) for _ in range(20)),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {DatabaseUnavailable}
    assert (await database.calls.facts(big)) == []
    await database._writer.run(pages(1_000_000))
    assert await database.calls.commit(Batch(facts=[started(big, account_id)])) == []
    await database.close()


async def test_closing_writes_what_is_queued(tmp_path):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    database = open_database(path, KEY)
    writes = [
        asyncio.ensure_future(database.calls.commit(Batch(facts=[started(f"c{n}", account_id)])))
        for n in range(700)
    ]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writes) == [[]] * 700
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    reopened = open_database(path, KEY)
    assert all([await reopened.calls.facts(f"c{n}") for n in range(700)])
    await reopened.close()


async def test_a_wait_that_is_cancelled_harms_nobody(tmp_path):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    database = open_database(path, KEY)
    writes = [
        asyncio.ensure_future(database.events.append([announcement(account_id, n)]))
        for n in range(10)
    ]
    await asyncio.sleep(0)
    writes[3].cancel()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(results[3], asyncio.CancelledError)
    assert (await database.events.bounds(account_id)) == (1, 10)
    await database.close()


def test_a_reader_cannot_write(tmp_path):
    path = tmp_path / "trunkline.db"
    office(path)
    connection = connect.connect_reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM accounts")
    connection.close()


def test_commits_are_on_the_disk(tmp_path):
    connection = connect.connect_writer(tmp_path / "new.db")
    settings = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    assert settings == ["wal", 2, 1]
    assert (tmp_path / "new.db").stat().st_mode & 0o077 == 0
    connection.close()


async def test_an_early_commit_can_be_read_before_it_is_on_the_disk(tmp_path, monkeypatch):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    database = open_database(path, KEY)
    go_on = threading.Event()
    monkeypatch.setattr(writer.os, "fdatasync", lambda _: go_on.wait(30))
    settled = await database.calls.commit_early(Batch(facts=[started("c1", account_id)]))
    assert len(await database.calls.facts("c1")) == 1
    assert not settled.done()
    go_on.set()
    await settled
    await database.close()


async def test_early_commits_that_share_one_with_others_are_on_the_disk_with_them(
    tmp_path, monkeypatch
):
    path = tmp_path / "trunkline.db"
    account_id = office(path)[0].account_id
    database = open_database(path, KEY)
    statements: list[str] = []
    synced: list[int] = []
    monkeypatch.setattr(writer.os, "fdatasync", synced.append)

    async def trace(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(statements.append)

    await database._writer.run(trace)
    early, _ = await asyncio.gather(
        database.calls.commit_early(Batch(facts=[started("c1", account_id)])),
        database.calls.commit(Batch(facts=[started("c2", account_id)])),
    )
    await early
    assert (synced, [line for line in statements if line.startswith("PRAGMA")]) == ([], [])
    await (await database.calls.commit_early(Batch(facts=[started("c3", account_id)])))
    assert [line for line in statements if line.startswith("PRAGMA")] == [
        "PRAGMA synchronous = NORMAL",
        "PRAGMA synchronous = FULL",
    ]
    assert len(synced) == 1
    await database.close()


async def test_a_database_behind_a_link_can_be_written_early(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    account_id = office(elsewhere / "trunkline.db")[0].account_id
    (tmp_path / "trunkline.db").symlink_to(elsewhere / "trunkline.db")
    database = open_database(tmp_path / "trunkline.db", KEY)
    await (await database.calls.commit_early(Batch(facts=[started("c1", account_id)])))
    assert len(await database.calls.facts("c1")) == 1
    await database.close()

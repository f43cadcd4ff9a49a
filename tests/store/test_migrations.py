"""Each migration on a filled database, up and down."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from store.making import AT, KEY
from trunkline.store import migrations
from trunkline.store.ports.history import NEWEST, CallFilter, Marks
from trunkline.store.sqlite import open_database
from trunkline.store.sqlite.schema import migrate, upgrade

ACCOUNT = "a" * 32


def query(path: Path, statement: str, *parameters: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        return connection.execute(statement, parameters).fetchall()


def schema(path: Path) -> list[Any]:
    return query(path, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")


def revision(path: Path) -> str:
    return str(query(path, "SELECT version_num FROM alembic_version")[0][0])


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A database of the first revision, with a call's events and what belongs to an account."""
    path = tmp_path / "trunkline.db"
    migrate(path, "0001")
    query(
        path,
        "INSERT INTO accounts (id, name, last_seq, created_at) VALUES (?, 'acme', 3, ?)",
        ACCOUNT, AT,
    )  # fmt: skip
    query(
        path,
        "INSERT INTO trunks (id, account_id, name, host, port, created_at)"
        " VALUES ('t', ?, 'far', '10.0.0.1', 5060, ?)",
        ACCOUNT, AT,
    )  # fmt: skip
    for seq, call_id in ((1, "c1"), (2, None), (3, "c1")):
        query(
            path,
            "INSERT INTO events VALUES (?, ?, 'call', 'CHANNEL_CREATE', 'leg', ?, ?, ?)",
            ACCOUNT, seq, call_id, AT, b'{"Event-Seq":%d}' % seq,
        )  # fmt: skip
    return path


async def test_a_filled_database_is_brought_up(first: Path) -> None:
    database = open_database(first, KEY)
    assert revision(first) == migrations.revisions()[-1]
    assert [event.seq for event in (await database.events.of_call(ACCOUNT, "c1", 0, 10))] == [1, 3]
    assert (await database.events.bounds(ACCOUNT)) == (1, 3)
    assert [line.name for line in (await database.directory.trunks())] == ["far"]
    assert (await database.keys.listed(ACCOUNT, (0, ""), 10)) == []
    await database.close()
    plan = query(
        first,
        "EXPLAIN QUERY PLAN SELECT * FROM events"
        " WHERE account_id = 'a' AND call_id = 'c' AND seq > 5 ORDER BY seq LIMIT 10",
    )
    assert "ix_events_account_id_call_id_seq" in plan[0][-1]
    assert len(plan) == 1  # no sorting


async def test_calls_of_before_are_found_after_they_were_indexed(first: Path) -> None:
    query(
        first,
        "INSERT INTO calls (account_id, started_at, id, ended_at, duration_seconds, billing_seconds,"
        " ringing_seconds, class, direction, status_detail, hangup_cause, caller_number, callee_number,"
        " updated_at) VALUES (?, ?, 'c1', ?, 1, 0, 0, 'trunking', 'to_ab', 'BUSY', 'USER_BUSY',"
        " '+84901', '101', ?)",
        ACCOUNT, AT, AT, AT,
    )  # fmt: skip
    database = open_database(first, KEY)
    wanted = CallFilter(number="84901")
    for _ in range(2):  # slowly before, by the index after
        found = await database.history.find(ACCOUNT, wanted, NEWEST, 10)
        assert [row.call_id for row in found.rows] == ["c1"]
        assert await database.history.index(10) in (0, 1)
    followed = await database.history.changed(ACCOUNT, CallFilter(), 0, 10)
    assert [row.update for row in followed.rows] == [1]
    await database.history.mark(ACCOUNT, "c1", Marks(note="x", tags=("y",)), AT)
    await database.close()
    migrate(first, "0003")
    assert query(first, "SELECT id, callee_number FROM calls") == [("c1", "101")]
    upgrade(first)
    assert query(first, "SELECT id, note, update_seq FROM calls") == [("c1", "", 0)]


def test_every_step_down_gives_what_was_before(first: Path) -> None:
    steps = migrations.revisions()
    before = {"0001": schema(first)}
    for step in steps[1:]:
        migrate(first, step)
        before[step] = schema(first)
    for step in reversed(steps[:-1]):
        migrate(first, step)
        assert (revision(first), schema(first)) == (step, before[step])
    assert query(first, "SELECT seq FROM events ORDER BY seq") == [(1,), (2,), (3,)]
    assert query(first, "SELECT name, last_seq FROM accounts") == [("acme", 3)]
    upgrade(first)
    assert schema(first) == before[steps[-1]]


async def test_users_and_numbers_of_before_lead_where_they_led(first: Path) -> None:
    _people_of_before(first)
    database = open_database(first, KEY)
    behind = await database.directory.extension(ACCOUNT, "101")
    assert behind is not None
    assert (behind.kind, behind.id, behind.extension) == ("user", "u1", "101")
    assert (behind.username, behind.sip_users) == ("an", ("an1",))
    assert await database.directory.did(ACCOUNT, "+84287") == behind
    nobody = await database.directory.user_owner("u2")
    assert nobody is not None
    assert (nobody.username, nobody.extension) == ("bo", None)
    await database.close()
    for view, id_ in (("tl_extensions", f"{ACCOUNT}:101"), ("tl_dids", f"{ACCOUNT}:84287")):
        found = query(first, f"SELECT user_id, dial, record FROM {view} WHERE id = ?", id_)
        assert found == [("u1", "PJSIP/an1", "yes")]
    query(first, "INSERT INTO destinations VALUES ('o', ?, 'outside', '+849')", ACCOUNT)
    query(
        first,
        "INSERT INTO numbers (id, account_id, destination_id, did, route_key, created_at)"
        " VALUES ('n2', ?, 'o', '288', 'x:288', ?)",
        ACCOUNT, AT,
    )  # fmt: skip
    migrate(first, "0008")
    assert query(first, "SELECT id, extension, route_key FROM users ORDER BY id") == [
        ("u1", "101", f"{ACCOUNT}:101"),
        ("u2", None, None),
    ]
    assert query(first, "SELECT id, user_id FROM numbers") == [("n1", "u1")]
    assert query(first, "SELECT id, user_id FROM devices") == [("d1", "u1")]
    upgrade(first)
    assert query(first, "SELECT number, destination_id FROM extensions") == [("101", "u1")]
    query(first, "DELETE FROM accounts")
    for table in ("destinations", "extensions", "users", "numbers", "devices"):
        assert query(first, f"SELECT count(*) FROM {table}") == [(0,)]


def _people_of_before(path: Path) -> None:
    for id_, username, extension in (("u1", "an", "101"), ("u2", "bo", None)):
        query(
            path,
            "INSERT INTO users (id, account_id, username, extension, route_key, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            id_, ACCOUNT, username, extension, extension and f"{ACCOUNT}:{extension}", AT,
        )  # fmt: skip
    query(
        path,
        "INSERT INTO devices (id, account_id, user_id, sip_user, realm, ha1, created_at)"
        " VALUES ('d1', ?, 'u1', 'an1', 'r', 'h', ?)",
        ACCOUNT, AT,
    )  # fmt: skip
    query(
        path,
        "INSERT INTO numbers (id, account_id, user_id, did, route_key, created_at)"
        " VALUES ('n1', ?, 'u1', '+84287', ?, ?)",
        ACCOUNT, f"{ACCOUNT}:84287", AT,
    )  # fmt: skip

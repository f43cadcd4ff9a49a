"""Migration 0006 on filled databases: what was found before is found after, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cluster import Cluster
from edges.test_history import follow_all, read_all
from store.making import KEY
from trunkline.store.location import Location
from trunkline.store.opening import core_engine, open_database, upgrade
from trunkline.store.ports.history import CallFilter, Marks
from trunkline.store.postgres.schema import migrate as migrate_server
from trunkline.store.sqlite import schema

A, B, GONE = "a" * 32, "b" * 32, "c" * 32
AT = -50_000_000
"""Before 1970: PostgreSQL has a table for those from the beginning."""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Location]:
    if request.param == "sqlite":
        yield tmp_path / "trunkline.db"
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        name = cluster.create()
        yield cluster.url(name)
        cluster.drop(name)


def migrate(place: Location, to: str) -> None:
    (schema.migrate if isinstance(place, Path) else migrate_server)(place, to)  # type: ignore[operator]


def opened(place: Location) -> Any:
    return open_database(place, KEY)


def query(place: Location, statement: str) -> list[Any]:
    engine = core_engine(place)
    with engine.begin() as connection:
        found = connection.execute(sa.text(statement))
        rows = [tuple(row) for row in found] if found.returns_rows else []
    engine.dispose()
    return rows


@pytest.fixture
def old(place: Location) -> Location:
    """Two accounts at 0005, with calls that started at once, and what is left of a third account."""
    migrate(place, "0005")
    for account_id, name in ((A, "acme"), (B, "bell")):
        query(
            place,
            "INSERT INTO accounts (id, name, created_at, last_update)"
            f" VALUES ('{account_id}', '{name}', 0, 3)",
        )
    for n, (account_id, at, number) in enumerate(
        [(A, 0, "101"), (A, 0, "102"), (A, 1, "101"), (B, 0, "101"), (GONE, 0, "101")]
    ):
        seq = n + 1 if account_id == A else 1
        query(
            place,
            "INSERT INTO calls (account_id, started_at, id, ended_at, duration_seconds, billing_seconds,"
            " ringing_seconds, class, direction, status_detail, hangup_cause, caller_number,"
            " callee_number, updated_at, update_seq)"
            f" VALUES ('{account_id}', {AT + at}, 'c{n}', 0, 1, 0, 0, 'trunking', 'to_ab', 'BUSY', '',"
            f" '+84901', '{number}', 0, {seq})",
        )
        if isinstance(place, str):
            query(place, f"INSERT INTO call_ids VALUES ('c{n}', '{account_id}', {AT + at})")
        for term in ("n:84901", f"n:{number}"):
            query(
                place,
                f"INSERT INTO call_terms VALUES ('{account_id}', '{term}', {AT + at}, 'c{n}')",
            )
        query(place, f"INSERT INTO call_updates VALUES ('{account_id}', {seq}, {AT + at}, 'c{n}')")
    return place


async def test_calls_are_found_and_followed_as_before(old: Location) -> None:
    upgrade(old)
    assert query(old, "SELECT number FROM accounts ORDER BY id") == [(1,), (2,)]
    assert query(old, "SELECT count(*) FROM call_terms") == [(3 + 2 + 2,)]
    database = opened(old)
    try:
        for number, found in (("84901", ["c2", "c1", "c0"]), ("101", ["c2", "c0"])):
            wanted = CallFilter(number=number, start=AT - 1)
            assert await read_all(database, A, wanted, 1) == found
        assert await read_all(database, B, CallFilter(number="101"), 5) == ["c3"]
        assert await follow_all(database, A, CallFilter(), 2) == {"c0", "c1", "c2"}
        marked = await database.history.mark(A, "c1", Marks(note="x"), 5)
        assert marked.update == 4
    finally:
        await database.close()


async def test_on_the_way_down_and_up_again_nothing_is_lost(old: Location) -> None:
    before = query(old, "SELECT * FROM calls ORDER BY id")
    migrate(old, "0006")
    migrate(old, "0005")
    after = [row[:-1] for row in query(old, "SELECT * FROM calls ORDER BY id")]
    assert after == [row[:-1] for row in before]
    upgrade(old)
    database = opened(old)
    try:
        while await database.history.index(2):
            pass
        assert await read_all(database, A, CallFilter(number="101"), 5) == ["c2", "c0"]
        assert await follow_all(database, A, CallFilter(), 5) == {"c0", "c1", "c2"}
    finally:
        await database.close()

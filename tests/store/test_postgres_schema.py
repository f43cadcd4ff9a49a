"""On PostgreSQL: the same migrations, the views, the role that reads them, and what is refused."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from importlib import resources
from typing import Any

import asyncpg
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from cluster import Cluster
from store.making import AT, KEY, office
from trunkline.store import migrations
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable
from trunkline.store.postgres import open_database
from trunkline.store.postgres.connect import core_engine
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.roles import VIEWS, let_read
from trunkline.store.postgres.schema import migrate, shown, upgrade
from trunkline.store.secrets import InstallationKey
from trunkline.store.tables import metadata
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.numbers import create_number
from trunkline.work.manage.trunks import create_trunk
from trunkline.work.manage.users import create_user


@pytest.fixture
def empty_url(cluster: Cluster) -> Iterator[str]:
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


def query(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def schema(url: str) -> list[Any]:
    """Every column, index and constraint."""
    return [
        query(
            url,
            "SELECT table_name, column_name, data_type, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
        ),
        query(url, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
        query(
            url,
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
        ),
    ]


# ---- Migrations --------------------------------------------------------------------------------------


def test_the_migrations_give_the_tables_of_the_code(postgres_url):
    """But for what PostgreSQL alone has: the parts of ``calls``, its ids, and the commit marks."""
    engine = core_engine(postgres_url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    ours = {"call_ids", "commit_marks", "calls_before_1970", "calls_from_2100"}
    assert {change[1].name for change in found if change[0] == "remove_table"} <= ours
    others = [change for change in found if change[0] != "remove_table"]
    assert [(change[0], str(change[1].name)) for change in others] == [
        ("add_constraint", "uq_calls_id")
    ]


def test_every_step_up_and_down_gives_what_was_before(empty_url):
    steps = migrations.revisions()
    before = {}
    for step in steps:
        migrate(empty_url, step)
        before[step] = schema(empty_url)
        if step == "0001":
            query(
                empty_url,
                f"INSERT INTO accounts (id, name, created_at) VALUES ('{'a' * 32}', 'acme', {AT});"
                "INSERT INTO users (id, account_id, username, extension, route_key, created_at)"
                f" SELECT 'u', id, 'an', '101', id || ':101', {AT} FROM accounts;"
                "INSERT INTO numbers (id, account_id, user_id, did, route_key, created_at)"
                f" SELECT 'n', id, 'u', '+84287', id || ':84287', {AT} FROM accounts",
            )
    for step in reversed(steps[:-1]):
        migrate(empty_url, step)
        assert query(empty_url, "SELECT version_num FROM alembic_version") == [(step,)]
        assert schema(empty_url) == before[step]
    upgrade(empty_url)
    assert schema(empty_url) == before[steps[-1]]
    assert query(empty_url, "SELECT name, last_seq FROM accounts") == [("acme", 0)]
    assert query(empty_url, "SELECT number, destination_id FROM extensions") == [("101", "u")]
    assert query(empty_url, "SELECT did, destination_id FROM numbers") == [("+84287", "u")]
    query(empty_url, "DELETE FROM accounts")
    assert query(empty_url, "SELECT id FROM destinations") == []


def test_processes_that_start_at_once_migrate_once(empty_url):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(upgrade, [empty_url] * 4) == [None] * 4
    assert query(empty_url, "SELECT count(*) FROM alembic_version") == [(1,)]


def test_a_database_from_the_future_is_refused(postgres_url):
    query(postgres_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseUnusable, match=r"has schema 9999, .* use the newer Trunkline"):
        open_database(postgres_url, KEY)


def test_another_key_is_refused(postgres_url):
    office(postgres_url)
    with pytest.raises(DatabaseUnusable, match=r"another secret\.key"):
        open_database(postgres_url, InstallationKey(b"x" * 32))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://trunkline:hush-hush@127.0.0.1:1/nothing",
        "postgresql://trunkline:hush-hush@127.0.0.1:port/nothing",
        "postgresql://trunkline:hush-hush@[127.0.0.1:1/nothing",
    ],
)
def test_a_server_that_is_not_there_is_refused_without_its_password(url):
    with pytest.raises(DatabaseUnavailable) as refused:
        open_database(url, KEY)
    assert "hush-hush" not in str(refused.value)
    assert "hush-hush" not in repr(refused.value.__cause__)


def test_a_database_is_shown_without_its_password():
    url = "postgresql://trunkline:hush-hush@db.example.com:5433/calls?sslmode=require"
    assert shown(url) == "postgresql://db.example.com:5433/calls"


# ---- What Asterisk reads -----------------------------------------------------------------------------


def row(url: str, view: str, id_: str) -> dict[str, Any] | None:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        found = connection.execute(f"SELECT * FROM {view} WHERE id = %s", (id_,)).fetchall()  # type: ignore[call-overload]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_gives_text_and_finds_a_row_by_an_index(postgres_url, view):
    office(postgres_url)
    types = query(
        postgres_url,
        f"SELECT DISTINCT data_type FROM information_schema.columns WHERE table_name = '{view}'",
    )
    assert types == [("text",)]
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            f"EXPLAIN SELECT * FROM {view} WHERE id = 'x'"  # type: ignore[call-overload]
        ).fetchall()
    assert not any("Seq Scan" in step for (step,) in plan), plan


def test_the_views_say_what_sqlites_say(postgres_url, tmp_path):
    places = (tmp_path / "trunkline.db", postgres_url)
    found = []
    for place in places:
        with ManagedDirectory(place, KEY).transaction() as directory:
            account = create_account(
                directory, "acme", caller_id="028", allow=["84", "+84"], deny=["8490"]
            )
            user = create_user(directory, account, "an", name='O"Ne\\il;', extension="101")
            for name in ("z1", "b2", "a3"):
                create_device(
                    directory,
                    account,
                    user,
                    name,
                    realm="r",
                    password="pw",
                    allow_weak_password=True,
                )
            create_number(directory, account, "+84 28 7301.9555", user.user_id)
            create_trunk(directory, account, "far", "10.0.0.1", priority=9)
            near = create_trunk(directory, account, "near", "10.0.0.2", priority=1)
        changing = {account.account_id: "A", user.user_id: "U", near.trunk_id: "T"}
        found.append(
            [
                _steady(_any_row(place, view, id_.replace("A", account.account_id)), changing)
                for view, id_ in (
                    *((view, "z1") for view in (*VIEWS[:4], "tl_devices")),
                    ("tl_rights", "A"),
                    ("tl_steps", user.user_id),
                    *((view, "A:101") for view in ("tl_extensions", "tl_dialled")),
                    *((view, "A:842873019555") for view in ("tl_dids", "tl_inbound")),
                )
            ]
        )
    assert all(found[0])
    assert found[1] == found[0]


def _any_row(place: Any, view: str, id_: str) -> dict[str, Any] | None:
    if isinstance(place, str):
        return row(place, view, id_)
    import sqlite3

    connection = sqlite3.connect(place)
    connection.row_factory = sqlite3.Row
    found = connection.execute(f"SELECT * FROM {view} WHERE id = ?", (id_,)).fetchone()
    connection.close()
    return dict(found) if found else None


def _steady(found: dict[str, Any] | None, changing: dict[str, str]) -> dict[str, Any]:
    assert found is not None
    for made, name in changing.items():
        found = {key: value.replace(made, name) for key, value in found.items()}
    return found


def test_asterisks_role_reads_its_views_and_nothing_else(cluster, postgres_url):
    office(postgres_url)
    name = postgres_url.rpartition("/")[2]
    role = f"{name}_asterisk"
    let_read(postgres_url, role, "first")
    let_read(postgres_url, role, "second")
    url = cluster.url(name, role, "second")
    try:
        for view in VIEWS:
            query(url, f"SELECT * FROM {view}")
        assert len(query(url, "SELECT id FROM ps_endpoints")) == 1
        tables = query(
            postgres_url,
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'S')",
        )
        others = {table for (table,) in tables} - set(VIEWS)
        assert {"accounts", "apps", "devices", "calls", "journal_id_seq"} <= others
        for table in others:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                query(url, f"SELECT * FROM {table}")
        for change in (
            "UPDATE ps_endpoints SET id = 'x'",
            "DELETE FROM ps_auths",
            "CREATE TABLE mine (a int)",
        ):
            with pytest.raises(psycopg.Error):
                query(url, change)
        with pytest.raises(psycopg.OperationalError):
            query(cluster.url(name, role, "first"), "SELECT 1")
    finally:
        query(postgres_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_an_owner_without_the_right_is_told_what_to_do_and_with_it_can(cluster, empty_url):
    name = empty_url.rpartition("/")[2]
    owner, reader = f"{name}_owner", f"{name}_reader"
    query(empty_url, f"CREATE ROLE {owner} LOGIN PASSWORD 'p'")
    query(empty_url, f"ALTER DATABASE {name} OWNER TO {owner}")
    url = cluster.url(name, owner, "p")
    try:
        upgrade(url)
        with pytest.raises(DatabaseUnusable, match=f"ALTER ROLE {owner} CREATEROLE"):
            let_read(url, reader, "pw")
        query(empty_url, f"ALTER ROLE {owner} CREATEROLE")
        let_read(url, reader, "pw")
        let_read(url, reader, "pw2")
        assert query(cluster.url(name, reader, "pw2"), "SELECT * FROM tl_dids") == []
    finally:
        query(empty_url, f"DROP OWNED BY {reader}; DROP ROLE {reader}")
        query(empty_url, f"REASSIGN OWNED BY {owner} TO trunkline; DROP OWNED BY {owner}")
        query(empty_url, f"DROP ROLE {owner}")


# ---- Managing --------------------------------------------------------------------------------------


def test_managing_a_database_that_is_away_is_unavailable():
    with pytest.raises(DatabaseUnavailable):
        ManagedDirectory("postgresql://x:y@127.0.0.1:1/z", KEY)


async def test_every_statement_is_understood(postgres_url):
    connection = await asyncpg.connect(postgres_url)
    folders = [resources.files(f"trunkline.store.{each}") for each in ("common", "postgres")]
    for subject in {f.name.removesuffix(".sql") for d in folders for f in (d / "sql").iterdir()}:
        queries = named(subject)
        for name in queries.available_queries:
            if not name.endswith("_cursor"):
                await connection.prepare(getattr(queries, name).sql)
    await connection.close()

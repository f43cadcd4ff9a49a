"""A live SQLite database moves to PostgreSQL whole, and is what it was."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import Any

import pytest

from store.copying import as_moved, end, in_directory, move, query, rows_of, schema, tables_of
from store.living_process import Life
from store.making import AT, KEY, office, record
from trunkline.history.sums import DAY
from trunkline.store import postgres, sqlite
from trunkline.store.copy.port import CopyDiffers, TargetAway
from trunkline.store.copy.source import SqliteSource
from trunkline.store.copy.target import PostgresTarget
from trunkline.store.migrations import revisions
from trunkline.store.opening import check
from trunkline.store.ports.database import Batch, DatabaseUnusable
from trunkline.store.sqlite.archive import open_archive
from trunkline.store.sqlite.connect import connect_reader, connect_writer
from trunkline.store.sqlite.schema import migrate
from trunkline.store.sqlite.snapshot import copy_database
from trunkline.work.upkeep import copy_database as verb

# ---- Moving ----------------------------------------------------------------------------------------


async def test_a_live_database_moves_whole(there, empty_url, postgres_url):
    await there.live(600)
    server = there.living(10_000)
    said = there.copied("--to", empty_url, "--json")
    assert '"state":"following"' in said
    assert "stop the server to switch" in said
    with pytest.raises(DatabaseUnusable, match="is not finished: go on with trunkline db copy"):
        postgres.open_database(empty_url, there.key)
    told = end(server)
    said = there.copied("--to", empty_url, "--json")
    assert '"state":"moved"' in said
    assert "trunkline:PASSWORD@127.0.0.1" in said
    password = re.search(r":([0-9a-f]{16})@", empty_url)
    assert password is not None
    assert password[1] not in said
    assert rows_of(empty_url) == as_moved(there.path)
    assert schema(empty_url) == schema(postgres_url)
    stored = {int(id_[1:]) for (id_,) in query(empty_url, "SELECT id FROM call_ids")}
    assert told <= stored
    assert len(told) > 50


async def test_both_databases_answer_alike_and_the_new_one_goes_on(there, empty_url, tmp_path):
    await there.live(300)
    end(there.living(10_000))
    before = tmp_path / "before.db"
    copy_database(there.path, before, lambda _: None)
    assert move(there, empty_url).moved
    old = sqlite.open_database(before, there.key)
    new = postgres.open_database(empty_url, there.key)
    day = AT // DAY * DAY
    asked: list[Any] = [
        lambda db: db.calls.page(there.account_id, 0, 1 << 62, 20, 3),
        lambda db: db.calls.page(there.account_id, day, day + 9 * DAY, 5, 1),
        lambda db: db.events.after(there.account_id, 0, 500),
        lambda db: db.events.bounds(there.account_id),
        lambda db: db.calls.open_calls("node"),
        lambda db: db.calls.facts("c7"),
        lambda db: db.calls.position("node"),
        lambda db: db.webhooks.listed(there.account_id, (0, ""), 10),
        lambda db: db.recordings.waiting(),
        lambda db: db.statistics.summed(
            there.account_id, "user", [day + n * DAY for n in range(30)], 10_000
        ),
        lambda db: db.directory.did(there.account_id, "1"),
    ]
    for ask in asked:
        expected, found = await ask(old), await ask(new)
        assert repr(found) == repr(expected).replace(r"\x00", "")
    life = Life(there.data, there.account_id, 0, 0)
    await life.call(new, 77_777)  # type: ignore[arg-type]
    written = await new.events.append([])
    assert written == []
    await old.close()
    await new.close()
    ids = query(empty_url, "SELECT count(*), count(DISTINCT id), max(id) FROM journal")[0]
    assert ids[0] == ids[1]


async def test_numbers_that_were_given_out_are_never_given_again(there, empty_url):
    await there.live(20)
    with contextlib.closing(connect_writer(there.path)) as connection:
        (last,) = connection.execute("SELECT max(id) FROM journal").fetchone()
        connection.execute("DELETE FROM journal")
    assert move(there, empty_url).moved
    new = postgres.open_database(empty_url, there.key)
    await Life(there.data, there.account_id, 0, 0).call(new, 5_000)  # type: ignore[arg-type]
    await new.close()
    assert query(empty_url, "SELECT min(id) FROM journal") == [(last + 1,)]


async def test_waiting_switches_when_the_server_stops_and_writes_the_setting(there, empty_url):
    await there.live(50)
    settings = there.data / "trunkline.toml"
    settings.write_text('# ours\nsip_realm = "trunkline" # this too\n')
    server = there.living(10_000)
    with there.copying("--to", empty_url, "--wait", "--switch") as copy:
        assert copy.stderr is not None
        for line in copy.stderr:
            if "the copy follows; stop the server to switch" in line:
                break
        told = end(server)
        rest = copy.stderr.read()
        assert copy.wait(60) == 0, rest
    stored = {int(id_[1:]) for (id_,) in query(empty_url, "SELECT id FROM calls")}
    assert told <= stored
    assert rows_of(empty_url) == as_moved(there.path)
    assert settings.read_text() == (
        f'database = "{empty_url}"\n# ours\nsip_realm = "trunkline" # this too\n'
    )
    assert settings.stat().st_mode & 0o777 == 0o600


# ---- Compared --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE calls SET note = 'x' WHERE id = 'c7'", r"calls: the row .*'c7'\] was altered"),
        ("DELETE FROM events WHERE seq = 9", r"events: the row .* 9\] stands where"),
        ("INSERT INTO tokens VALUES ('t', 'a', 'b', 1)", r"tokens: the row None stands where the target has \['t'\]"),
        ("INSERT INTO events (account_id, seq, category, name, subject, at, body)"
         " VALUES ('zz', 1, '', '', '', 1, '')", "events has rows of zz on one side only"),
        ("UPDATE call_ids SET started_at = 1 WHERE id = 'c7'", "call_ids is not what calls are"),
    ],
)  # fmt: skip
async def test_what_is_altered_in_the_target_is_found(there, empty_url, change, says):
    await there.live(40)
    assert not move(there, empty_url, alone=False).moved
    query(empty_url, change)
    with pytest.raises(CopyDiffers, match=says):
        move(there, empty_url, compare=True)
    assert sqlite.open_database(there.path, there.key) is not None


async def test_a_row_too_few_is_found_at_the_switch(there, empty_url):
    await there.live(40)
    assert not move(there, empty_url, alone=False).moved
    query(empty_url, "DELETE FROM call_terms WHERE term = (SELECT min(term) FROM call_terms)")
    with pytest.raises(CopyDiffers, match=r"call_terms has .* rows, and the target"):
        move(there, empty_url)


async def test_the_checksums_are_those_of_the_rows(there, empty_url, cluster):
    await there.live(40)
    first = move(there, empty_url, alone=False)
    other = cluster.url(cluster.create())
    with contextlib.closing(SqliteSource(there.path)) as reading:
        reading.abort()
    second = move(there, other, alone=False)
    assert first.checksums == second.checksums
    assert len(first.checksums) == len(tables_of(there.path))
    cluster.drop(other.rpartition("/")[2])


# ---- Refused ---------------------------------------------------------------------------------------


async def test_a_moved_database_is_opened_and_written_by_nobody_until_it_is_taken_back(
    there, empty_url
):
    await there.live(10)
    open_before = connect_writer(there.path)
    move(there, empty_url)
    for opens in (
        lambda: sqlite.open_database(there.path, there.key),
        lambda: open_archive(there.path),
        lambda: copy_database(there.path, there.data / "backup", lambda _: None),
        lambda: in_directory(there.path, there.key).__enter__(),
    ):
        with pytest.raises(DatabaseUnusable, match=r"has been moved to postgresql://127\.0\.0\.1"):
            opens()
    for statement in (
        "INSERT INTO tokens VALUES ('t', 'a', 'b', 1)",
        "UPDATE accounts SET name = 'x'",
        "DELETE FROM journal",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="was moved to"):
            open_before.execute(statement)
    (there.data / "trunkline.toml").write_text(f'database = "{empty_url}"')
    assert "stop the server, and take the setting out" in there.copied("--abort", status=1)
    (there.data / "trunkline.toml").unlink()
    said = there.copied("--abort")
    assert "in use again" in said
    await there.live(12)
    left = open_before.execute(
        "SELECT name FROM sqlite_master WHERE name GLOB '*copy_*' OR name GLOB 'moved*'"
    )
    assert left.fetchall() == []
    assert "no copy is under way" in there.copied("--abort", status=1)
    open_before.close()


async def test_only_an_empty_database_is_copied_into(there, empty_url, postgres_url, cluster):
    await there.live(5)
    office(postgres_url)
    with pytest.raises(DatabaseUnusable, match="is not empty"):
        move(there, postgres_url)
    query(empty_url, "CREATE TABLE mine (a int)")
    with pytest.raises(DatabaseUnusable, match=r"is not empty \(there is mine\)"):
        move(there, empty_url)
    query(empty_url, "DROP TABLE mine")
    assert not move(there, empty_url, alone=False).moved
    with contextlib.closing(SqliteSource(there.path)) as reading:
        reading.abort()
    with pytest.raises(DatabaseUnusable, match="unfinished copy of another database"):
        move(there, empty_url)
    query(postgres_url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    postgres.schema.upgrade(postgres_url)
    assert move(there, postgres_url).moved


async def test_an_ended_copy_leaves_an_empty_database(there, empty_url):
    await there.live(5)
    assert not move(there, empty_url, alone=False).moved
    there.copied("--abort", "--to", empty_url)
    assert (
        query(empty_url, "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    )
    assert move(there, empty_url).moved


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("mysql://u:hush-hush@h/d", "only PostgreSQL has a URL"),
        ("postgresql://u:hush-hush@[h/d", "this is no URL"),
        ("postgresql://u:hush-hush@127.0.0.1:1/d", "cannot use postgresql://127.0.0.1:1/d: connection failed"),
        ("postgresql://trunkline:hush-hush@127.0.0.1:{port}/postgres", "password authentication failed"),
        ("postgresql://{name}:hush-hush@127.0.0.1:{port}/{name}", "permission denied"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_used_is_refused_without_its_password(
    there, empty_url, cluster, to, says
):
    name = empty_url.rpartition("/")[2]
    query(empty_url, f"CREATE ROLE {name} LOGIN PASSWORD 'hush-hush'")
    try:
        said = there.copied("--to", to.format(port=cluster.port, name=name), status=1)
    finally:
        query(empty_url, f"DROP ROLE {name}")
    assert says in said
    assert "hush-hush" not in said


def test_a_database_of_another_schema_is_refused(there):
    migrate(there.path, revisions()[-2])
    with pytest.raises(DatabaseUnusable, match="bring it up to date"):
        SqliteSource(there.path)


async def test_a_migration_amid_a_copy_ends_it(there, empty_url):
    await there.live(5)
    assert not move(there, empty_url, alone=False).moved
    with contextlib.closing(connect_writer(there.path)) as connection:
        connection.execute("DROP TRIGGER copy_calls_insert")
    with pytest.raises(DatabaseUnusable, match="were changed since the copy began"):
        move(there, empty_url)


# ---- What is noted meanwhile -----------------------------------------------------------------------


async def test_a_server_that_runs_already_notes_its_changes(there):
    await there.live(3)
    database = sqlite.open_database(there.path, there.key)
    life = Life(there.data, there.account_id, 0, 0)
    await life.call(database, 100)
    with contextlib.closing(SqliteSource(there.path)) as reading:
        reading.capture("a" * 32)
        await life.call(database, 101)
        with reading.snapshot() as snapshot:
            noted = dict(snapshot.changes(0))
            assert noted.pop("call_terms") > 2
            assert noted.pop("call_stats") > 2
            assert noted == {
                "accounts": 2, "call_counts_day": 1, "call_counts_hour": 1, "call_counts_minute": 1,
                "call_updates": 1, "calls": 1, "events": 3, "journal": 2, "live_calls": 2,
                "log_positions": 1, "recording_files": 1, "recordings": 1,
            }  # fmt: skip
            newest = snapshot.newest
        reading.trim(newest)
        await life.call(database, 102)
        with reading.snapshot() as snapshot:
            assert snapshot.newest > newest
        reading.abort()
        await life.call(database, 103)
    await database.close()


async def test_a_backup_amid_a_copy_has_nothing_of_it_and_the_counts_are_right(
    there, empty_url, tmp_path
):
    await there.live(20)
    assert not move(there, empty_url, alone=False).moved
    backup = tmp_path / "backup.db"
    copy_database(there.path, backup, lambda _: None)
    for path, noted in ((there.path, True), (backup, False)):
        with contextlib.closing(connect_reader(path)) as connection:
            found = connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE name GLOB 'copy_*'"
            )
            assert (found.fetchone()[0] > 0) is noted
        assert list(check(path, False)) == []
    database = sqlite.open_database(backup, there.key)
    await database.calls.commit(Batch(finished=[record("after", there.account_id)]))
    await database.close()


async def test_a_kept_key_belongs_to_the_new_database_too(there, empty_url):
    move(there, empty_url)
    with pytest.raises(DatabaseUnusable, match=r"another secret\.key"):
        postgres.open_database(empty_url, KEY)
    await postgres.open_database(empty_url, there.key).close()


def test_two_copies_do_not_write_to_one_database(there, empty_url, monkeypatch):
    monkeypatch.setattr(verb, "_BUSY_SECONDS", 0.2)
    other = PostgresTarget(empty_url)
    other.standing()
    with pytest.raises(TargetAway, match="another copy writes"):
        move(there, empty_url)
    other.close()
    assert move(there, empty_url).moved

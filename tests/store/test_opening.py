"""Opening: migrations, keys, and what is refused."""

from __future__ import annotations

import multiprocessing
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from store.making import KEY, office
from trunkline.store import migrations
from trunkline.store.ports.database import DatabaseUnusable
from trunkline.store.secrets import InstallationKey, KeyUnusable, open_key
from trunkline.store.sqlite import open_database, schema
from trunkline.store.sqlite.connect import connect_writer, core_engine
from trunkline.store.sqlite.queries import named
from trunkline.store.tables import metadata


def test_the_migrations_give_the_tables_of_the_code(tmp_path):
    path = tmp_path / "trunkline.db"
    schema.upgrade(path)
    engine = core_engine(path)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert script.get_current_head() == migrations.revisions()[-1]


def test_many_may_open_a_new_database_at_once(tmp_path):
    path = tmp_path / "trunkline.db"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(schema.upgrade, [path] * 4) == [None] * 4
    open_key(tmp_path / "secret.key")


async def test_a_database_from_the_future_is_refused(tmp_path):
    path = tmp_path / "trunkline.db"
    schema.upgrade(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DatabaseUnusable, match=r"has schema 9999, .* use the newer Trunkline"):
        open_database(path, KEY)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 99, b"\0" * 4096])
def test_what_is_no_database_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "trunkline.db"
    path.write_bytes(content)
    with pytest.raises(DatabaseUnusable, match="cannot open the database"):
        open_database(path, KEY)
    assert path.read_bytes() == content


def test_a_place_that_is_no_directory_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnusable, match="cannot open the database"):
        open_database(tmp_path / "file" / "trunkline.db", KEY)


async def test_another_key_is_refused(tmp_path):
    path = tmp_path / "trunkline.db"
    office(path)
    with pytest.raises(DatabaseUnusable, match=r"another secret\.key"):
        open_database(path, InstallationKey(b"x" * 32))


def test_a_key_file_is_made_once_and_for_its_owner(tmp_path):
    file = tmp_path / "secret.key"
    key = open_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]
    again = open_key(file)
    assert again.decrypt(key.encrypt("hush")) == "hush"
    assert again.derive("urls") == key.derive("urls") != key.derive("tokens")
    assert len(key.derive("urls")) == 32


def test_a_key_does_not_show_itself(tmp_path):
    key = InstallationKey(b"supersecretsupersecretsupersecre")
    assert "super" not in repr(key)
    assert "hush" not in key.encrypt("hush")
    with pytest.raises(KeyUnusable, match="another key"):
        InstallationKey(b"x" * 32).decrypt(key.encrypt("hush"))


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [(b"", 0o600, "holds no key"), (b"short", 0o600, "holds no key"), (b"x", 0o644, "chmod 600")],
)
def test_a_key_file_that_is_not_right_is_refused(tmp_path, content, mode, says):
    file = tmp_path / "secret.key"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(KeyUnusable, match=says):
        open_key(file)


def test_opening_the_database_twice_in_one_process_keeps_its_locks(tmp_path):
    path = tmp_path / "trunkline.db"
    count = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
    count += "print(c.execute('SELECT count(*) FROM t').fetchone()[0]); c.close()"

    def rows_seen_by_another_process() -> int:
        command = [sys.executable, "-c", count, str(path)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    first = connect_writer(path)
    first.execute("CREATE TABLE t(a)")
    first.execute("INSERT INTO t VALUES (1)")
    connect_writer(path).close()
    seen = [rows_seen_by_another_process()]
    first.execute("INSERT INTO t VALUES (2)")
    seen.append(rows_seen_by_another_process())
    assert seen == [1, 2]


def test_every_statement_is_understood(tmp_path):
    path = tmp_path / "trunkline.db"
    schema.upgrade(path)
    folders = [resources.files(f"trunkline.store.{each}") for each in ("common", "sqlite")]
    with closing(connect_writer(path)) as connection:
        for subject in {
            f.name.removesuffix(".sql") for d in folders for f in (d / "sql").iterdir()
        }:
            queries = named(subject)
            for name in queries.available_queries:
                if not name.endswith("_cursor"):
                    sql = getattr(queries, name).sql
                    given = dict.fromkeys(re.findall(r":(\w+)", sql))
                    connection.execute(f"EXPLAIN {sql}", given)

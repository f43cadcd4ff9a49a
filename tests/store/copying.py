"""An office on SQLite, a process that lives in it, and what moves it to PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from store.living_process import Life
from trunkline.store import sqlite
from trunkline.store.copy import capture
from trunkline.store.copy.source import SqliteSource
from trunkline.store.copy.target import PostgresTarget
from trunkline.store.secrets import open_key
from trunkline.store.sqlite.connect import connect_reader
from trunkline.work.manage.accounts import create_account
from trunkline.work.upkeep import copy_database as verb
from trunkline.work.upkeep.copy_database import CopyDatabase

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent)}


class Office:
    """A data directory with two accounts and some calls."""

    def __init__(self, data: Path) -> None:
        self.data, self.path = data, data / "trunkline.db"
        self.key = open_key(data / "secret.key")
        with in_directory(self.path, self.key) as directory:
            self.account_id = create_account(directory, "acme").account_id
            create_account(directory, "other")

    async def live(self, calls: int) -> None:
        database = sqlite.open_database(self.path, self.key)
        life = Life(self.data, self.account_id, 0, 0)
        for at in range(0, calls, 200):
            await asyncio.gather(*(life.call(database, n) for n in range(at, min(calls, at + 200))))
        await database.close()

    def living(self, first: int, pause: float = 0.005) -> subprocess.Popen[bytes]:
        """A process that writes like a server, once it does."""
        started = subprocess.Popen(
            [sys.executable, HERE / "living_process.py", str(self.data), self.account_id, str(first), str(pause)],
            stdout=subprocess.PIPE, env=ENVIRONMENT,
        )  # fmt: skip
        assert started.stdout is not None
        assert started.stdout.readline()
        return started

    def copying(self, *flags: str, rows: int = 200) -> subprocess.Popen[str]:
        """``trunkline db copy`` by small chunks."""
        return subprocess.Popen(
            [sys.executable, HERE / "copying_process.py", str(rows), "--data", str(self.data), "db", "copy", *flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip

    def copied(self, *flags: str, status: int = 0) -> str:
        """All that it says, when it has ended."""
        with self.copying(*flags) as process:
            out, err = process.communicate(timeout=240)
        assert process.returncode == status, err
        return out + err


@contextlib.contextmanager
def in_directory(path: Path, key: Any) -> Iterator[Any]:
    from trunkline.store.managed_directory import ManagedDirectory

    with ManagedDirectory(path, key).transaction() as directory:
        yield directory


def end(process: subprocess.Popen[bytes]) -> set[int]:
    """Stop it like a server; gives the calls that it was told are stored."""
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return {int(line) for line in out.split()}


def move(there: Office, url: str, alone: bool = True, **more: Any) -> verb.CopyResult:
    """In this process."""

    @contextlib.contextmanager
    def nobody_else() -> Iterator[bool]:
        yield alone

    reading, writing = SqliteSource(there.path), PostgresTarget(url)
    try:
        return CopyDatabase(
            reading,
            writing,
            nobody_else,
            more.pop("tell", lambda _: None),
            more.pop("patience", 30),
        ).run(**more)
    finally:
        reading.close()
        writing.close()


def rows_of(place: Path | str) -> dict[str, list[str]]:
    """Every row of every table, read by the drivers alone."""
    names = [table.name for table in tables_of(place)] if isinstance(place, Path) else None
    if isinstance(place, Path):
        with contextlib.closing(connect_reader(place)) as connection:
            return {
                name: sorted(
                    _plain(row) for row in _dicts(connection.execute(f'SELECT * FROM "{name}"'))
                )
                for name in names or ()
            }
    with psycopg.connect(place) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        )
        names = {name for (name,) in found} - {"alembic_version", "commit_marks", "call_ids"}
        return {
            name: sorted(
                _plain(row)
                for row in _dicts(connection.execute(f'SELECT * FROM "{name}"'.encode()))
            )
            for name in names
        }


def tables_of(path: Path) -> Any:
    with contextlib.closing(connect_reader(path)) as connection:
        return capture.tables(connection)


def _dicts(cursor: Any) -> Iterator[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor)


def _plain(row: dict[str, Any]) -> str:
    return repr(
        sorted(
            (name, int(value) if isinstance(value, bool) else value.replace("\0", "") if isinstance(value, str) else value)
            for name, value in row.items()
            if value is not None
        )
    )  # fmt: skip


def as_moved(path: Path) -> dict[str, list[str]]:
    """The old database's rows, without the mark."""
    rows = rows_of(path)
    rows["meta"] = [row for row in rows["meta"] if "moved_to" not in row]
    return rows


def query(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def schema(url: str) -> list[Any]:
    return [
        sorted(query(url, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ '^calls_\\d'")),
        sorted(query(
            url,
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ '^calls_\\d'",
        )),
        query(
            url,
            "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'S') AND relname !~ '^calls_\\d' ORDER BY 1",
        ),
    ]  # fmt: skip

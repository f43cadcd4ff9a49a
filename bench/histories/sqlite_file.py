"""The SQLite database with all the calls, made once: by the product's own ``write_calls``.

It writes to a new file that nobody needs until it is whole, so nothing is synchronised on the way; a
file that was not finished is made anew. What is measured later is opened as the product opens it.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec

from trunkline.calls.record import CallRecord
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.secrets import open_key
from trunkline.store.sqlite.database import check_key
from trunkline.store.sqlite.finished_calls import write_calls
from trunkline.store.sqlite.queries import driven
from trunkline.store.sqlite.schema import upgrade
from trunkline.work.manage.accounts import create_account

from .kept import SQLITE, Kept
from .office import Company, companies, records

_BATCH = 20_000


def filled(home: Path, calls: int) -> Kept:
    """The database, made now if it is not there yet, and migrated if it was made before."""
    data = home / f"{calls}-calls"
    described = data / "accounts.json"
    if not described.exists():
        _make(data, calls)
    upgrade(data / "trunkline.db")
    accounts = msgspec.json.decode(described.read_bytes(), type=list[str])
    return Kept(SQLITE, str(data / "trunkline.db"), str(data), calls, accounts)


def _make(data: Path, calls: int) -> None:
    say(f"making {calls} calls in {data}, once")
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    file, key = data / "trunkline.db", open_key(data / "secret.key")
    upgrade(file)
    check_key(file, key)
    of = companies(calls)
    with ManagedDirectory(file, key).transaction() as directory:
        accounts = [create_account(directory, each.name).account_id for each in of]
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        _fill(connection, list(zip(of, accounts, strict=True)), calls)
    (data / "accounts.json").write_bytes(msgspec.json.encode(accounts))


def _fill(connection: sqlite3.Connection, of: list[tuple[Company, str]], calls: int) -> None:
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -5000000"):
        connection.execute(f"PRAGMA {pragma}")
    began, written = time.monotonic(), 0
    for company, account_id in of:
        rows = records(company, account_id)
        for part in _parts(rows):
            connection.execute("BEGIN IMMEDIATE")
            driven(write_calls(connection, part, part[-1].ended_at))
            connection.execute("COMMIT")
            written += len(part)
        rate = written / (time.monotonic() - began)
        say(f"{written} of {calls} calls, {rate:.0f}/s, {company.name}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA analysis_limit = 2000")
    connection.execute("ANALYZE")


def _parts(rows: Iterator[CallRecord]) -> Iterator[list[CallRecord]]:
    while part := list(islice(rows, _BATCH)):
        yield part


def say(text: str) -> None:
    """Tell whoever waits."""
    print(f"==> {text}", file=sys.stderr, flush=True)

"""A database with a million calls of one account, made once and kept.

The calls go in by the product's own INSERT, many at a time. The counts beside them, which the
product keeps call by call, are made in one go, and then compared: with counts of the rows
themselves, and, on a sample, with what ``write_call`` makes of the same calls.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord
from trunkline.store.common.call_columns import columns_of
from trunkline.store.common.marking import index
from trunkline.store.common.spans import DAY, HOUR, MINUTE
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import dialect
from trunkline.store.sqlite.connect import connect_writer
from trunkline.store.sqlite.database import check_key
from trunkline.store.sqlite.finished_calls import write_call
from trunkline.store.sqlite.queries import driven, named
from trunkline.store.sqlite.schema import upgrade
from trunkline.store.sqlite.statistics import count_older
from trunkline.work.manage.accounts import create_account

DAYS = 30
START = 1_760_000_000_000_000 // DAY * DAY
"""Unix microseconds, at the beginning of a day in UTC."""
_COUNTED = (("minute", MINUTE), ("hour", HOUR), ("day", DAY))
_CALLS = (
    "'calls', 'accounts', 'call_terms', 'call_updates',"
    " 'call_counts_minute', 'call_counts_hour', 'call_counts_day', 'call_stats', 'call_stats_marks'"
)
_OUTCOMES = ("SUCCESS", "SUCCESS", "SUCCESS", "BUSY", "UNSUCCESS", "CANCELLED")


class Million(msgspec.Struct, frozen=True):
    """Where the calls are, and whose."""

    folder: str
    account: str
    account_id: str
    calls: int

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.folder)

    @property
    def window(self) -> tuple[int, int]:
        """All calls started in [start, end)."""
        return START, START + DAYS * DAY


def million(directory: str, calls: int) -> Million:
    """The database, made now if it is not there yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = Path(directory) if directory else Path(base) / "trunkline" / "bench"
    data = home / f"{calls}-calls"
    described = data / "million.json"
    if not described.exists():
        _make(data, calls)
    return msgspec.json.decode(described.read_bytes(), type=Million)


def _make(data: Path, calls: int) -> None:
    print(f"==> making {calls} calls in {data}, once", file=sys.stderr, flush=True)
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    file = data / "trunkline.db"
    key = open_key(data / "secret.key")
    upgrade(file)
    check_key(file, key)
    with ManagedDirectory(file, key).transaction() as directory:
        account = create_account(directory, "million")
    with closing(connect_writer(file)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _fill(connection, account.account_id, calls)
        connection.execute(
            "INSERT INTO meta (key, value) VALUES ('calls_indexed_to', '[\"\",0,\"\"]')"
        )
        while driven(index(dialect, connection, 20_000)):
            pass
        connection.execute(
            "INSERT INTO call_stats_marks VALUES (?, ?)", (account.account_id, 1 << 62)
        )
        while driven(count_older(connection, 20_000)):
            pass
        connection.execute("COMMIT")
        _check_counts(connection, account.account_id, calls)
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    made = Million(str(data), "million", account.account_id, calls)
    (data / "million.json").write_bytes(msgspec.json.encode(made))


def _fill(connection: sqlite3.Connection, account_id: str, calls: int) -> None:
    add = named("history").add_calls.sql
    rows = (
        columns_of(record) | {"updated_at": START, "update_seq": 0}
        for record in records(account_id, calls)
    )
    while part := list(islice(rows, 20_000)):
        connection.executemany(add, part)
    for name, width in _COUNTED:
        connection.execute(
            f"INSERT INTO call_counts_{name} (account_id, bucket, n) "  # names of our own
            "SELECT account_id, started_at / ?, count(*) FROM calls GROUP BY 1, 2",
            (width,),
        )


def records(account_id: str, calls: int) -> Iterator[CallRecord]:
    """Calls as an office makes them: more by day than by night, the same at each run."""
    chance = random.Random(1)
    for n in range(calls):
        day, hour = chance.randrange(DAYS), min(23, max(0, int(chance.gauss(13, 4))))
        at = START + day * DAY + hour * HOUR + chance.randrange(HOUR)
        yield _record(account_id, hashlib.md5(str(n).encode()).hexdigest(), at, chance)


def _record(account_id: str, call_id: str, at: int, chance: random.Random) -> CallRecord:
    status = chance.choice(_OUTCOMES)
    talked = chance.randrange(1, 600) if status == "SUCCESS" else 0
    agent = chance.randrange(200)
    user = Party(f"agent{agent}", username=f"agent{agent}", name=f"Agent {agent}")
    return CallRecord(
        call_id=call_id,
        account_id=account_id,
        caller=user,
        callee=Party(f"0{chance.randrange(10**9):09}"),
        class_="trunking",
        direction="from_ab",
        did_number=None,
        status_detail=status,
        started_at=at,
        answered_at=at + 5_000_000 if talked else None,
        ended_at=at + (talked + 5) * 1_000_000,
        duration_seconds=talked + 5,
        billing_seconds=talked,
        ringing_seconds=5,
        hangup_cause="NORMAL_CLEARING",
        recording=f"call_recording_{call_id}.mp3" if talked else "",
    )


def _check_counts(connection: sqlite3.Connection, account_id: str, calls: int) -> None:
    for name, width in _COUNTED:
        counted = _all(connection, f"SELECT bucket, n FROM call_counts_{name} ORDER BY 1")
        rows = f"SELECT started_at / {width}, count(*) FROM calls GROUP BY 1 ORDER BY 1"
        assert counted == _all(connection, rows), f"the counts by {name} are wrong"
        assert sum(n for _, n in counted) == calls
    _check_sample(connection, account_id)


def _check_sample(connection: sqlite3.Connection, account_id: str, size: int = 500) -> None:
    """``write_call`` on a copy of the schema must give the same rows and counts."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as mine:
        tables = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
        for (sql,) in _all(connection, f"{tables} AND type = 'table' AND tbl_name IN ({_CALLS})"):
            mine.execute(sql)
        for record in records(account_id, size):
            assert driven(write_call(mine, record, START))
        names = [name for _, name, *_ in _all(mine, "PRAGMA table_info(calls)")]
        told = ", ".join(f'"{each}"' for each in names if each != "update_seq")  # another number
        for id_, *row in _all(mine, f"SELECT id, {told} FROM calls"):
            ((_, *found),) = _all(connection, f"SELECT id, {told} FROM calls WHERE id = ?", id_)
            assert found == row, (found, row)
        for name, width in _COUNTED:
            counted = _all(mine, f"SELECT bucket, n FROM call_counts_{name} ORDER BY 1")
            rows = f"SELECT started_at / {width}, count(*) FROM calls GROUP BY 1 ORDER BY 1"
            assert counted == _all(mine, rows)


def _all(connection: sqlite3.Connection, sql: str, *parameters: Any) -> list[Any]:
    return connection.execute(sql, parameters).fetchall()

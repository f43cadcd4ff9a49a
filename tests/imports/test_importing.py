"""An import beside everything else that goes on: exact, repeatable, and in nobody's way."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli.office import Office, refused
from cli.served import Served
from trunkline.cli import app, retries
from trunkline.cli.calls import import_calls
from trunkline.store.check import check
from trunkline.store.sqlite import bulk
from trunkline.work.upkeep.import_calls import ImportRequest

from .office import START, big_file, moved_in, start
from .reading import HCM, PEOPLE, SAMPLES

TESTS = Path(__file__).parent.parent


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return moved_in(tmp_path / "data")


def run(office: Office, *words: str) -> Any:
    return CliRunner().invoke(app, ["--data", str(office.data), "import", *words])


def told(office: Office, *words: str) -> dict[str, Any]:
    result = run(office, "--account", "acme", "--json", *words)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def counts_agree(office: Office) -> bool:
    return list(check(office.file, repair=False)) == []


def ask(office: Office, served: Served, low: int, high: int) -> tuple[int, list[Any]]:
    """GET /oapi/v1/call/histories: the total, and the page."""
    words = ("app", "create", "--account", "acme", "--json")
    made = CliRunner().invoke(app, ["--data", str(office.data), *words])
    app_id, secret = (json.loads(made.stdout)[key] for key in ("appId", "appSecret"))
    proof = hashlib.sha256(f"{app_id}{low}{high}{secret}".encode()).hexdigest()
    answer = httpx.get(
        f"{served.url}/oapi/v1/call/histories",
        params={"appId": app_id, "created_from": low, "created_to": high, "hash": proof},
    )
    assert answer.status_code == 200, answer.text
    return int(answer.headers["X-Total-Count"]), answer.json()


@pytest.fixture
def served(office: Office) -> Iterator[Served]:
    server = Served(office)
    server.start()
    yield server
    server.stop()


def test_all_samples_once_and_then_nothing_more(office: Office) -> None:
    files = [str(file) for file in sorted(SAMPLES.iterdir())]

    first, again = told(office, *files), told(office, *files)

    # The two files of Asterisk hold the same calls, and so do the CSV and JSON of Kazoo and of Wazo: in
    # one import they fold together, or (where a row is a whole call) are there already.
    assert first["added"] == 5 + 4 + 4 + 3 + 2 + 3
    assert first["alreadyThere"] == 3
    assert first["skipped"]["time_unreadable"] == 3
    assert again["added"] == 0
    assert again["alreadyThere"] == first["calls"]
    assert counts_agree(office)


def test_a_dry_run_writes_nothing_and_tells_the_same(office: Office) -> None:
    file = str(SAMPLES / "freepbx.csv")

    dry = told(office, "--dry-run", file)
    real = told(office, file)

    assert dry.pop("wouldAdd") == real.pop("added") == 4
    assert dry == real
    assert real["recordingsLeft"] == 1


def test_what_the_account_does_not_keep_is_left_out(office: Office, tmp_path: Path) -> None:
    file, report = str(SAMPLES / "freepbx.csv"), tmp_path / "report.jsonl"
    words = ["--data", str(office.data), "account", "keep", "acme", "--calls"]
    assert CliRunner().invoke(app, [*words, "1"]).exit_code == 0

    left_out = told(office, "--report", str(report), file)

    assert (left_out["calls"], left_out["added"], left_out["skipped"]["too_old"]) == (4, 0, 4)
    assert [json.loads(line)["reason"] for line in report.read_text().splitlines()].count(
        "too_old"
    ) == 4
    assert CliRunner().invoke(app, [*words, "forever"]).exit_code == 0
    assert told(office, file)["added"] == 4


def test_the_report_names_each_row_and_why(office: Office, tmp_path: Path) -> None:
    report, file = tmp_path / "report.jsonl", str(SAMPLES / "asterisk.csv")

    told(office, "--report", str(report), file, file)

    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert {
        "file": file,
        "line": 8,
        "reason": "time_unreadable",
        "detail": "start: 'yesterday'",
    } in lines


def test_a_packed_file_and_one_cut_short(office: Office, tmp_path: Path) -> None:
    packed = gzip.compress((SAMPLES / "wazo.csv").read_bytes())
    (tmp_path / "a.csv.gz").write_bytes(packed)
    (tmp_path / "b.csv.gz").write_bytes(packed[:-20])

    assert told(office, str(tmp_path / "a.csv.gz"))["added"] == 3
    refused(run(office, "--account", "acme", str(tmp_path / "b.csv.gz")), "cut short")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--format", "3cx"], "--format '3cx' is not known"),
        (["--timezone", "Mars/Olympus"], "no time zone"),
        (["--map", "calldate"], "THEIRS=OURS"),
        (["--format", "wazo"], "lacks the column"),
    ],
)
def test_what_cannot_be_meant_is_refused(office: Office, words: list[str], says: str) -> None:
    refused(run(office, "--account", "acme", str(SAMPLES / "freepbx.csv"), *words), says)


def test_imported_calls_are_in_the_right_windows_with_exact_totals(
    office: Office, served: Served, tmp_path: Path
) -> None:
    assert told(office, str(big_file(tmp_path / "big.csv", 2000)))["added"] == 2000

    whole = START, START + 2000 * 60
    total, page = ask(office, served, *whole)
    assert total == 2000
    assert [row["unix_timestamp"] for row in page[:2]] == [START + 1999 * 60, START + 1998 * 60]
    assert page[0]["caller"] == {"number": "101", "type": "user", "username": "an"}
    assert page[0]["billing_seconds"] == 21
    for low, high in ((0, 1), (7, 661), (1999, 2000), (500, 500)):
        window = START + low * 60, START + high * 60
        assert ask(office, served, *window)[0] == high - low


def test_calls_recorded_meanwhile_are_all_there(office: Office, tmp_path: Path) -> None:
    file = big_file(tmp_path / "big.csv", 6000)
    (office.data / "server.json").write_text(
        json.dumps({"url": "http://127.0.0.1:1", "token": "t", "pid": os.getpid()})
    )
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(office.data), office.account.account_id],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(TESTS)},
    ) as writer:  # fmt: skip
        assert writer.stdout
        acknowledged = [int(writer.stdout.readline())]
        process = start(office, "import", "--account", "acme", "--json", str(file))
        out, err = process.communicate(timeout=240)
        acknowledged.append(int(writer.stdout.readline()))
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    assert process.returncode == 0, err
    assert json.loads(out)["added"] == 6000
    with closing(sqlite3.connect(office.file)) as connection:
        there = {row[0] for row in connection.execute("SELECT id FROM calls WHERE id LIKE 'c%'")}
    assert {f"c{n}" for n in acknowledged} <= there
    assert counts_agree(office)


WRITER = """
import asyncio, itertools, os, sys
from pathlib import Path
from db.making import record, announcement
from trunkline.store.ports.database import Batch
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import open_database

async def main(data, account_id):
    database = open_database(data / "trunkline.db", open_key(data / "secret.key"))
    for n in itertools.count():
        done = Batch(finished=[record(f"c{n}", account_id)], announcements=[announcement(account_id, n)])
        await database.calls.commit(done)
        os.write(1, b"%d\\n" % n)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def test_a_database_that_is_locked_for_a_while_is_waited_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    waiting = bulk.connect_writer

    def impatient(path: Path) -> sqlite3.Connection:
        connection = waiting(path)
        connection.execute("PRAGMA busy_timeout = 50")
        return connection

    def tried(details: object) -> None:
        tries.append(0.0)
        if len(tries) == 2:
            other.execute("ROLLBACK")

    monkeypatch.setattr(bulk, "connect_writer", impatient)
    monkeypatch.setattr(retries, "_tell", tried)
    with closing(sqlite3.connect(office.file, isolation_level=None)) as other:
        told(office, str(SAMPLES / "wazo.csv"))
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(
            import_calls,
            "_wanted",
            lambda *_: ImportRequest(office.account.account_id, PEOPLE, HCM),
        )
        assert told(office, str(SAMPLES / "kazoo.csv"))["added"] == 2
    assert len(tries) == 2


def test_an_import_that_was_killed_goes_on(office: Office, tmp_path: Path) -> None:
    file = str(big_file(tmp_path / "big.csv", 8000))
    killed = start(office, "import", "--account", "acme", file)
    with closing(sqlite3.connect(office.file)) as connection:
        deadline = time.monotonic() + 120
        while connection.execute("SELECT count(*) FROM calls").fetchone()[0] < 1000:
            assert time.monotonic() < deadline
            assert killed.poll() is None
    killed.kill()
    killed.communicate()

    rest = told(office, file)

    assert rest["calls"] == 8000
    assert 0 < rest["added"] < 8000
    assert rest["added"] + rest["alreadyThere"] == 8000
    assert counts_agree(office)

"""trunkline account keep and hold, trunkline call hold, trunkline retention run."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from db.agreeing import everything_agrees
from db.making import announcement, record
from trunkline.recordings.disk import DiskStore
from trunkline.recordings.spool import Spool
from trunkline.store.ports.database import Batch
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import open_database

from ..office import Office, Run, Told

DAY = 86_400_000_000


@pytest.fixture
def now() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def filled(office: Office, now: int) -> Office:
    """A recorded call on each of the last ten days, with an event and its file."""

    async def fill() -> None:
        data, account_id = office.data, office.account.account_id
        database = open_database(office.file, open_key(data / "secret.key"))
        store = DiskStore(data / "recordings")
        Spool(data / "engine" / "spool")
        file = data / "one.mp3"
        file.write_bytes(b"mp3")
        for n in reversed(range(10)):
            at, name = now - n * DAY - DAY // 2, f"call_recording_c{n}.mp3"
            await store.put(name, file)
            told = [announcement(account_id, 0, at, call_id=f"c{n}")]
            call = record(f"c{n}", account_id, at, recording=name)
            await database.calls.commit(Batch(finished=[call], announcements=told))
        await database.close()

    asyncio.run(fill())
    return office


def files(office: Office) -> list[str]:
    return sorted(path.name for path in (office.data / "recordings").glob("*.mp3"))


def test_limits_are_set_and_shown(office: Office, told: Told, run: Run) -> None:
    words = ("account", "keep", "acme", "--calls", "365", "--events", "90", "--recordings", "30")
    kept = {"keepCalls": 365, "keepEvents": 90, "keepRecordings": 30}
    assert kept.items() <= told(*words).items()
    assert kept.items() <= told("account", "show", "acme").items()
    (listed,) = told("account", "list")
    assert kept.items() <= listed.items()
    changed = told("account", "keep", "acme", "--calls", "forever", "--events", "default")
    shown = dict(
        line.split(maxsplit=1) for line in run("account", "show", "acme").stdout.splitlines()
    )
    assert (shown["keepCalls"], shown["keepEvents"], shown["keepRecordings"]) == (
        "forever",
        "default",
        "30 days",
    )
    assert (changed["keepCalls"], changed["keepEvents"], changed["keepRecordings"]) == (0, None, 30)
    for wrong, says in (
        (("--events", "0"), "take days (at least 1), forever, or default"),
        (("--calls", "10", "--recordings", "11"), "a recording goes with its call's record"),
        ((), "say what to keep"),
    ):
        result = run("account", "keep", "acme", *wrong)
        assert (result.exit_code, result.stdout) == (1, "")
        assert says in result.stderr
        assert result.stderr.count("\n") == 1


def test_an_account_on_hold_is_kept(filled: Office, told: Told, run: Run, now: int) -> None:
    assert run("account", "hold", "acme").exit_code == 1
    held = told("account", "hold", "acme", "--reason", "case 7")
    assert held["heldAt"] >= now
    assert told("account", "show", "acme")["holdReason"] == "case 7"
    assert " UTC" in run("account", "show", "acme").stdout
    told("account", "keep", "acme", "--calls", "1")
    assert told("retention", "run") == []
    assert "on hold (case 7)" in run("account", "delete", "acme").stderr
    assert told("account", "hold", "acme", "--release")["heldAt"] is None
    assert told("retention", "run", "--dry-run") == [
        {"account": "acme", "kind": "calls", "rows": 9}
    ]


def test_what_is_too_old_goes(filled: Office, told: Told, run: Run) -> None:
    told("account", "keep", "acme", "--calls", "6", "--recordings", "3", "--events", "2")
    assert told("call", "hold", "c8") == {
        "callId": "c8", "accountId": filled.account.account_id, "hold": True,
    }  # fmt: skip
    expected: list[dict[str, Any]] = [
        {"account": "acme", "kind": "recordings", "rows": 6},
        {"account": "acme", "kind": "calls", "rows": 3},
        {"account": "acme", "kind": "events", "rows": 7},
    ]
    assert told("retention", "run", "--dry-run") == expected
    assert len(files(filled)) == 10
    done = told("retention", "run")
    assert done == [*expected, {"account": None, "kind": "files", "rows": 6}]
    assert files(filled) == [f"call_recording_c{n}.mp3" for n in (0, 1, 2, 8)]
    assert len(told("calls", "show", "c8")["events"]) == 1
    assert told("db", "check") == []
    everything_agrees(filled.file)
    assert told("call", "hold", "c8", "--release")["hold"] is False
    assert {"account": "acme", "kind": "calls", "rows": 1} in told("retention", "run")
    missing = run("call", "hold", "c8")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "there is no finished call 'c8'" in missing.stderr


def test_without_a_database_nothing_is_made(tmp_path: Path, run: Run, office: Office) -> None:
    office.file.unlink()
    result = run("retention", "run")
    assert (result.exit_code, office.file.exists()) == (1, False)
    assert "there is no database" in result.stderr

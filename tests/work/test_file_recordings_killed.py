"""Recordings are filed by a process that is killed again and again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from at_once import at_once
from recordings.audio import RATE, goertzel, heard, raw, tone
from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord
from trunkline.calls.recording_plan import Composed, Part, Source
from trunkline.recordings.spool import Spool
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.ports.database import Batch, Recording, Recordings
from trunkline.store.secrets import open_key
from trunkline.store.sqlite.schema import upgrade
from trunkline.work.manage.accounts import create_account

from .fake_recordings import FakeRecordings
from .filing_worker import open_sqlite

KILLS = 40
LINES = 200
"""About as many are run from a recording's claim to its end."""
SECONDS = 10
NAMES = [f"r{number}" for number in range(KILLS)]


class Calls(Protocol):
    """The rows as calls make them and as readers see them."""

    rows: Recordings

    async def end(self, name: str) -> None: ...
    def events(self) -> list[tuple[str, str]]: ...
    async def close(self) -> None: ...


class FakeCalls:
    def __init__(self, folder: Path) -> None:
        self.rows = FakeRecordings(folder / "rows.db")

    async def end(self, name: str) -> None:
        self.rows.expect(name, plan=planned(name))

    def events(self) -> list[tuple[str, str]]:
        return self.rows.events()

    async def close(self) -> None:
        self.rows.db.close()


class SqliteCalls:
    def __init__(self, folder: Path) -> None:
        upgrade(folder / "trunkline.db")
        file = ManagedDirectory(folder / "trunkline.db", open_key(folder / "secret.key"))
        with file.transaction() as directory:
            self._account_id = create_account(directory, "acme").account_id
        self._db = open_sqlite(folder)
        self.rows: Recordings = self._db.recordings

    async def end(self, name: str) -> None:
        now = time.time_ns() // 1000
        record = CallRecord(
            call_id=f"id-{name}",
            account_id=self._account_id,
            caller=Party(number="101", username="an"),
            callee=Party(number="0901234567"),
            class_="trunking",
            direction="from_ab",
            did_number=None,
            status_detail="SUCCESS",
            started_at=now - 40_000_000,
            answered_at=now - 40_000_000,
            ended_at=now,
            duration_seconds=40,
            billing_seconds=40,
            ringing_seconds=0,
            hangup_cause="NORMAL_CLEARING",
            recording=f"call_recording_{name}.mp3",
        )
        plans = {record.call_id: planned(name)}
        await self._db.calls.commit(Batch(finished=[record], plans=plans))

    def events(self) -> list[tuple[str, str]]:
        stored = at_once(self._db.events.after(self._account_id, 0, 1000))
        return [(event.name, event.call_id or "") for event in stored]

    async def close(self) -> None:
        await self._db.close()


CALLS = {"fake": FakeCalls, "sqlite": SqliteCalls}


def planned(name: str) -> Composed | None:
    """Every second one is of two legs' files, each for half of the time; the others of one, as it is."""
    if NAMES.index(name) % 2 == 0:
        return None
    half, files = SECONDS * 500_000, (f"{name}-1", f"{name}-2")
    return Composed(
        length=2 * half,
        parts=tuple(
            Part(n * half, half, side, (Source(raw, voice, 0),))
            for n, raw in enumerate(files)
            for side, voice in (("left", "own"), ("right", "told"))
        ),
        files=files,
        spent=files,
    )


def tones(name: str) -> tuple[float, float]:
    """A pair (caller, callee) that no other recording has."""
    number = NAMES.index(name)
    return 300.0 + 30 * number, 3400.0 - 30 * number


def row(calls: Calls, name: str) -> Recording:
    found = at_once(calls.rows.any_account(f"call_recording_{name}.mp3"))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", CALLS)
async def test_each_recording_is_made_once_and_right(kind: str, tmp_path: Path) -> None:
    """Killed at random lines, with a new recording to make each time."""
    chance, calls = random.Random(11), CALLS[kind](tmp_path)
    spool = Spool(tmp_path / "spool")
    for name in NAMES:
        record(spool, name)
        await calls.end(name)
        async with worker(tmp_path, kind, chance.randrange(1, LINES)) as killed:
            assert await asyncio.wait_for(killed.wait(), 60) == -signal.SIGKILL

    async with worker(tmp_path, kind):
        await until(lambda: not at_once(calls.rows.waiting()) and not left(tmp_path / "spool"))

    assert {row(calls, name).state for name in NAMES} == {"ready"}
    assert sorted(calls.events()) == sorted(("RECORDING_READY", f"id-{name}") for name in NAMES)
    assert left(tmp_path / "recordings", "*") == {
        f"call_recording_{name}.mp3{ending}" for name in NAMES for ending in ("", ".peaks.json")
    }
    for name in NAMES:
        assert_right(row(calls, name), tmp_path / "recordings" / f"call_recording_{name}.mp3")
    await calls.close()


def record(spool: Spool, name: str) -> None:
    (caller, callee), plan = tones(name), planned(name)
    files = plan.files if plan else (name,)
    for file in files:
        live, seconds = spool.live / f"{file}.raw", SECONDS / len(files)
        live.write_bytes(raw(tone(caller, seconds), tone(callee, seconds)))
        live.replace(spool.done / live.name)


def left(folder: Path, pattern: str = "*/*") -> set[str]:
    return {path.name for path in folder.glob(pattern) if path.is_file()}


def assert_right(recording: Recording, mp3: Path) -> None:
    left, right = heard(mp3)[RATE : (SECONDS - 1) * RATE].T
    caller, callee = tones(recording.id)
    assert (recording.bytes, recording.seconds) == (mp3.stat().st_size, SECONDS)
    assert goertzel(left, caller) - goertzel(left, callee) > 60
    assert goertzel(right, callee) - goertzel(right, caller) > 60


async def until(probe: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not probe():
        assert time.monotonic() < deadline, "it was never through"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def worker(folder: Path, kind: str, lines: int = 0) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "work.filing_worker", str(folder), kind, str(lines)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()

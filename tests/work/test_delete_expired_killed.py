"""What has expired is deleted by a process that is killed again and again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from store.agreeing import everything_agrees, query
from store.making import AT, KEY, announcement, office, record, started
from trunkline.recordings.disk import DiskStore
from trunkline.recordings.spool import Spool
from trunkline.store.location import Location
from trunkline.store.opening import open_database
from trunkline.store.ports.database import Batch
from trunkline.store.ports.history import Marks
from trunkline.work.upkeep.delete_expired import DAY

KILLS = 12
LINES = 2500
"""Fewer than a run of some steps takes, so that each gets somewhere."""
CALLS = 160
"""Four a day, for forty days."""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return tmp_path / "trunkline.db"


async def test_whatever_dies_when_all_agrees_and_nothing_is_left(
    place: Location, tmp_path: Path
) -> None:
    """A file is there while its row says so, and in the end not a file longer."""
    chance = random.Random(5)
    held = await filled(place, tmp_path)
    for _ in range(KILLS):
        code = await worker(place, tmp_path, chance.randrange(1, LINES))
        assert code in (0, -signal.SIGKILL)
        everything_agrees(place)
        assert set(made(place)) <= files(tmp_path / "recordings")
    assert await worker(place, tmp_path, 0) == 0
    everything_agrees(place)
    left = {call_id for (call_id,) in query(place, "SELECT id FROM calls")}
    assert left == {f"c{n}" for n in range(80, CALLS)} | held
    assert query(place, "SELECT 1 FROM recording_removals") == []
    young = {f"call_recording_c{n}.mp3" for n in range(120, CALLS)}
    young |= {f"call_recording_{call_id}.mp3" for call_id in held}
    assert files(tmp_path / "recordings") == set(made(place)) == young
    assert files(tmp_path / "spool") == {"c150.raw"}
    facts = query(place, "SELECT DISTINCT call_id FROM journal")
    assert {call_id for (call_id,) in facts} == {f"c{n}" for n in range(140, CALLS)} | held
    assert query(place, "SELECT events_from FROM accounts") == [(2 * 140 + 1,)]
    events = {call_id for (call_id,) in query(place, "SELECT DISTINCT call_id FROM events")}
    assert events == {f"c{n}" for n in range(140, CALLS)} | held


async def filled(place: Location, folder: Path) -> set[str]:
    """Recorded calls with facts, events and files; gives those on hold."""
    account_id = office(place)[0].account_id
    database = open_database(place, KEY)
    store, spool = DiskStore(folder / "recordings"), Spool(folder / "spool")
    mp3 = folder / "one.mp3"
    mp3.write_bytes(b"mp3")
    batch = Batch()
    for n in range(CALLS):
        call_id, name, at = f"c{n}", f"call_recording_c{n}.mp3", AT + n // 4 * DAY
        await store.put(name, mp3)
        batch.finished.append(record(call_id, account_id, at, recording=name))
        batch.facts.append(started(call_id, account_id, at))
        batch.announcements += [announcement(account_id, k, at, call_id=call_id) for k in range(2)]
    await database.calls.commit(batch)
    for name, raw in ((spool.failed, "c3"), (spool.unclaimed, "c90"), (spool.done, "c150")):
        (name / f"{raw}.raw").write_bytes(b"raw")
    held = {"c1", "c77", "c100"}
    for call_id in held:
        await database.history.mark(account_id, call_id, Marks(hold=True), AT)
    await database.close()
    return held


def made(place: Location) -> list[str]:
    return [name for (name,) in query(place, "SELECT name FROM recordings")]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


async def worker(place: Location, folder: Path, lines: int) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "work.expiring_worker", str(place), str(folder), str(lines)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        return await asyncio.wait_for(process.wait(), 120)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

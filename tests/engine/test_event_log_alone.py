"""What writes the event log by itself, under sanitizers: odd names, a full disk, too many rows, the engine's end."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.alone import Alone
from trunkline.calls.cel import CelRow
from trunkline.engine.install.choose import Installed
from trunkline.engine.listen.log_follower import LogFollower

Run = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def alone(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    folder = tmp_path_factory.mktemp("event_log")
    return Alone(installed, "cel_event_log", "event_log_alone.c", folder)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cel.csv"


@pytest.fixture
def run(alone: Alone, file: Path) -> Run:
    return lambda scene: alone.play(scene, file)


def rows(file: Path) -> list[CelRow]:
    """All of them; none was skipped."""
    follower, found = LogFollower(file, None), []
    while taken := follower.read():
        assert taken.skipped == 0
        found += taken.rows
    return found


def numbers(file: Path) -> list[int]:
    return [int(row.unique_id) for row in rows(file)]


def test_what_is_written_is_read(run: Run, file: Path) -> None:
    assert run("rows") == ["room 1", "room 1 refused 0 waiting 0 lost 0"]
    found = rows(file)
    assert [int(row.unique_id) for row in found] == [*range(500)]
    assert {row.name for row in found} == {'"Ann"\nof ""Ltd", \\'}
    times = [row.time - row.steady for row in found]
    assert max(times) - min(times) < 20_000
    assert [row.steady for row in found] == sorted(row.steady for row in found)


def test_space_is_reserved_for_the_ends_of_calls(run: Run, file: Path) -> None:
    run("rows")
    status = file.stat()
    if status.st_blocks * 512 < status.st_size + (1 << 20):
        pytest.skip("this file system reserves nothing")
    assert status.st_blocks * 512 >= 4 << 20


def test_a_full_disk_that_has_room_again(run: Run, file: Path) -> None:
    said = [re.sub(r"waiting \d\d", "waiting many", line) for line in run("full")]
    assert said == [
        "log PLACE cannot be written: File too large",
        "log PLACE has no room for new calls: they are refused",
        "room 0",
        "room 0 refused 1 waiting many lost 0",
        "log PLACE is written again; 0 rows are lost",
        "log PLACE has room for new calls again",
        "room 1",
        "room 1 refused 1 waiting 0 lost 0",
    ]
    assert numbers(file) == [*range(100)]


def test_too_many_rows_cost_no_more_memory(run: Run, file: Path) -> None:
    said = run("flood")
    assert said[1] == "log PLACE loses rows: no memory is left for them"
    assert said[-1].startswith("room 1 refused 0 waiting 0 lost ")
    lost = int(said[-1].split()[-1])
    assert lost > 300
    assert numbers(file) == [*range(1500 - lost), *range(1500, 1510)]


def test_what_waits_is_written_as_the_engine_stops(run: Run, file: Path) -> None:
    run("stopped")
    assert numbers(file) == [*range(10)]

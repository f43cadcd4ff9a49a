"""The recorder's source by itself, under sanitizers: full disks, floods, late arrivals, and the engine's end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.alone import Alone
from trunkline.engine.install.choose import Installed
from trunkline.recordings.leg_file import LegFile

Run = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def alone(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    folder = tmp_path_factory.mktemp("recorder")
    return Alone(installed, "app_record_leg", "recorder_alone.c", folder)


@pytest.fixture
def run(alone: Alone, tmp_path: Path) -> Run:
    return lambda scene: alone.play(scene, tmp_path)


@pytest.fixture
def leg(tmp_path: Path) -> Path:
    return tmp_path / "leg.leg"


def test_calls_leave_nothing_behind(run: Run, tmp_path: Path) -> None:
    assert run("calls") == ["used 0", "objects 0"]
    assert [len(LegFile(leg).voice) for leg in tmp_path.glob("*.leg")] == [1] * 300


def test_a_full_disk_that_has_room_again(run: Run, leg: Path) -> None:
    said = run("full")
    assert said[:2] == [
        "log PLACE/leg.leg cannot be written: File too large",
        "log PLACE/leg.leg is written again",
    ]
    assert said[-2:] == ["used 0", "objects 0"]
    file = LegFile(leg)
    assert file.voice["bytes"][0] == 160
    assert (file.voice["bytes"][-1], file.formats[-1]) == (80, "alaw")
    assert 7_000_000 < leg.stat().st_size < 9_000_000


def test_a_flood_costs_the_disk_little(run: Run, leg: Path) -> None:
    said = run("flood")
    assert "more came than a phone has to say" in said[0]
    assert leg.stat().st_size < 4_000_000
    file = LegFile(leg)
    assert set(file.formats) == {"ulaw", "alaw"}
    assert file.voice["bytes"].min() == 1400


def test_who_is_hung_up_already_gets_no_recorder(run: Run, leg: Path) -> None:
    assert run("late") == ["used 0", "objects 0"]
    assert not leg.exists()


def test_what_was_said_is_written_as_the_engine_stops(run: Run, leg: Path) -> None:
    assert run("stopped") == ["unload -1"]
    assert len(LegFile(leg).voice) == 1

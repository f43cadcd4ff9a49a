"""The recorder's source by itself, under sanitizers: full disks, floods, late arrivals, and the engine's end."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from trunkline.engine.install import recorder
from trunkline.engine.install.choose import Installed
from trunkline.recordings.leg_file import LegFile

Run = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def program(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(recorder.__file__).parents[1] / "recorder" / "app_record_leg.c"
    made = tmp_path_factory.mktemp("recorder") / "alone"
    gcc = shutil.which("gcc")
    assert gcc
    subprocess.run(
        [gcc, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-w", "-fsanitize=address,undefined",
         f'-DRECORDER="{source}"', f"-isystem{installed.headers}",
         str(Path(__file__).with_name("recorder_alone.c")), "-o", str(made), "-pthread"],
        check=True,
    )  # fmt: skip
    return made


@pytest.fixture
def run(program: Path, tmp_path: Path) -> Run:
    def run(scene: str) -> list[str]:
        """What it says; a leak or a wrong access is an error."""
        done = subprocess.run(
            [program, scene, tmp_path], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


@pytest.fixture
def leg(tmp_path: Path) -> Path:
    return tmp_path / "leg.leg"


def test_calls_leave_nothing_behind(run: Run, tmp_path: Path) -> None:
    assert run("calls") == ["used 0", "objects 0"]
    assert [len(LegFile(leg).voice) for leg in tmp_path.glob("*.leg")] == [1] * 300


def test_a_full_disk_that_has_room_again(run: Run, leg: Path) -> None:
    said = [line.replace(str(leg), "LEG") for line in run("full")]
    assert said[:2] == [
        "log LEG cannot be written: File too large",
        "log LEG is written again",
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

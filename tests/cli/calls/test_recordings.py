"""recording: what is listed, what is written to a file, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trunkline.events.stored import Announcement
from trunkline.recordings.disk import DiskStore
from trunkline.store.sqlite import SqliteDatabase

from ..office import AT, CALL, NAME, Office, Run, refused


@pytest.fixture
def recorded(office: Office) -> Office:
    """A call whose recording is done: 1000 bytes."""
    office.click()
    office.talk_and_end()
    mp3 = office.data / "x.mp3"
    mp3.write_bytes(b"m" * 1000)
    said = Announcement(office.account.account_id, "call", "RECORDING_READY", CALL, AT, {})

    async def make(db: SqliteDatabase) -> None:
        await DiskStore(office.data / "recordings").put(NAME, mp3)
        await db.recordings.claim(NAME, "w", AT, AT + 1)
        await db.recordings.done(NAME, "w", 1000, 6.0, said)

    office.write(make)
    return office


@pytest.mark.parametrize("wanted", [CALL, NAME])
def test_a_recording_is_written_to_a_file(
    recorded: Office, told: Any, tmp_path: Path, wanted: str
) -> None:
    file = tmp_path / "out.mp3"

    assert told("recording", "get", wanted, "-o", str(file)) == {
        "file": str(file), "bytes": 1000, "callId": CALL,
    }  # fmt: skip
    assert file.read_bytes() == b"m" * 1000
    assert not list(tmp_path.glob(".*"))


def test_a_folder_gets_the_recording_under_its_name(
    recorded: Office, told: Any, tmp_path: Path
) -> None:
    told("recording", "get", CALL, "-o", str(tmp_path))

    assert (tmp_path / NAME).stat().st_size == 1000


def test_a_file_is_only_replaced_by_force(recorded: Office, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.mp3"
    file.write_text("mine")

    refused(run("recording", "get", CALL, "-o", str(file)), "--force")
    assert file.read_text() == "mine"

    assert run("recording", "get", CALL, "-o", str(file), "--force").exit_code == 0
    assert file.stat().st_size == 1000


def test_a_recording_goes_to_standard_output(recorded: Office, run: Run) -> None:
    assert run("recording", "get", CALL, "-o", "-").stdout_bytes == b"m" * 1000


def test_recordings_are_listed(recorded: Office, told: Any) -> None:
    [row] = told("recording", "list")

    assert (row["name"], row["state"], row["bytes"], row["callId"]) == (NAME, "ready", 1000, CALL)


def test_a_recording_that_is_being_made_is_not_given(office: Office, run: Run) -> None:
    office.click()
    office.talk_and_end()

    refused(run("recording", "get", CALL), "is still being made")


def test_a_lost_or_unknown_recording_is_refused(recorded: Office, run: Run, tmp_path: Path) -> None:
    refused(run("recording", "get", "nothing"), "there is no recording of 'nothing'")

    (recorded.data / "recordings" / NAME).unlink()
    refused(run("recording", "get", CALL, "-o", str(tmp_path / "o")), "put it back from a backup")
    assert not (tmp_path / "o").exists()
    assert not list(tmp_path.glob(".*"))

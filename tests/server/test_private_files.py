"""Nobody else may read what lies in the data directory, whoever brought it and under whatever mode."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from trunkline.recordings.disk import DiskStore
from trunkline.server.private_files import close_contents, keep_private


@pytest.fixture(autouse=True)
def lax() -> object:
    """The umask of somebody who does not care."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_brought_is_closed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk"
    data = tmp_path / "data"
    for folder in (elsewhere / "2026", data / "engine" / "spool" / "done", data / "certificates"):
        folder.mkdir(parents=True)
    (data / "recordings").symlink_to(elsewhere)
    brought = [elsewhere / "a.mp3", elsewhere / "2026" / "b.mp3", data / "engine/spool/done/c.leg"]
    for file in (
        *brought,
        data / "trunkline.db",
        data / "trunkline.toml",
        data / "certificates/tls.pem",
        tmp_path / "out",
    ):
        file.write_bytes(b"x")
    (elsewhere / "link").symlink_to(tmp_path / "out")

    keep_private(data)
    assert mode(elsewhere) == mode(data / "engine") == 0o700
    assert mode(data / "trunkline.db") == mode(data / "trunkline.toml") == 0o600
    assert close_contents(data) == 6
    assert {mode(file) for file in brought} == {0o600}
    assert mode(elsewhere / "2026") == 0o700
    assert mode(data / "certificates/tls.pem") == mode(tmp_path / "out") == 0o666  # not ours
    assert close_contents(data) == 0
    (data / "later").write_bytes(b"x")
    assert mode(data / "later") == 0o600


async def test_a_recording_is_for_its_owner_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"x")
    (tmp_path / "recordings").mkdir(mode=0o777)
    store = DiskStore(tmp_path / "recordings")
    await store.put("call_recording_a.mp3", tmp_path / "made")
    assert mode(tmp_path / "recordings" / "call_recording_a.mp3") == 0o600

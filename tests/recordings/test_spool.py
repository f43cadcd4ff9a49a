"""When a raw file is final: nobody holds it open any more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trunkline.engine.process.identity import open_files
from trunkline.recordings.spool import Spool


@pytest.fixture(params=["plain", "through a link"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    real = tmp_path / "real"
    real.mkdir()
    if request.param == "plain":
        return Spool(real)
    link = tmp_path / "link"
    link.symlink_to(real)
    return Spool(link)


def test_a_file_is_taken_once_nobody_holds_it_open(spool: Spool) -> None:
    with (spool.live / "a.raw").open("wb") as writing:
        writing.write(b"abcd")
        (spool.live / "b.raw").write_bytes(b"efgh")
        spool.take_closed(lambda: open_files(os.getpid()))
        first = spool.waiting()
    spool.take_closed(lambda: open_files(os.getpid()))
    assert (first, spool.waiting()) == (["b"], ["a", "b"])


def test_nothing_is_taken_while_it_is_not_known_what_is_open(spool: Spool) -> None:
    (spool.live / "a.raw").write_bytes(b"abcd")
    spool.take_closed(lambda: None)
    assert (spool.waiting(), (spool.live / "a.raw").exists()) == ([], True)


def test_a_file_made_during_the_look_does_not_seem_closed(spool: Spool) -> None:
    (spool.live / "a.raw").write_bytes(b"abcd")

    def looking() -> frozenset[Path]:
        (spool.live / "b.raw").write_bytes(b"")  # opened after the look into live/
        return frozenset()

    spool.take_closed(looking)
    assert spool.waiting() == ["a"]


def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    assert open_files(2**22 + 1) is None

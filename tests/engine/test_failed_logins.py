"""What our module wrote of failed logins is read once, in order, and its file is gone then."""

from __future__ import annotations

import json
from pathlib import Path

from trunkline.engine.listen.failed_logins import FailedLogins
from trunkline.engine.port import LoginFailed


def line(address: str) -> str:
    return json.dumps({"at": 1, "address": address, "device": None, "count": 2}) + "\n"


async def test_each_line_once_the_older_file_first(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "failed-logins.jsonl.1").write_text(line("192.0.2.1"))
    (folder / "failed-logins.jsonl").write_text(line("192.0.2.2") + '{"at": 1, "addr')
    following = FailedLogins(tmp_path).follow()
    told = [await anext(following) for _ in range(2)]
    assert told == [[LoginFailed(1, f"192.0.2.{n}", None, 2)] for n in (1, 2)]
    (folder / "failed-logins.jsonl").write_text("nonsense\n" + line("192.0.2.3"))
    assert await anext(following) == [LoginFailed(1, "192.0.2.3", None, 2)]
    assert [file.name for file in folder.iterdir()] == ["failed-logins.jsonl.taken"]


async def test_what_a_killed_reader_had_taken_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "failed-logins.jsonl.taken").write_text(line("192.0.2.1"))
    assert await anext(FailedLogins(tmp_path).follow()) == [LoginFailed(1, "192.0.2.1", None, 2)]

"""How commands print what they made or found."""

from __future__ import annotations

import json

import pytest

from trunkline.cli.output import show_all, show_one

ROW = {"callerName": "An \x1b[2J\u202e", "note": "one\ntwo", "heldAt": 1_700_000_000_000_000, "tags": ["a", "b"]}  # fmt: skip


def test_nothing_that_a_caller_chose_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    show_one(ROW, as_json=False)
    show_all([ROW], as_json=False)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert said.count("one two") == 2
    assert said.count("\n") == len(ROW) + 2


def test_a_time_is_one_for_people_and_microseconds_in_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_one(ROW, as_json=False)
    assert "heldAt      2023-11-14 22:13:20 UTC" in capsys.readouterr().out
    show_one(ROW, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROW

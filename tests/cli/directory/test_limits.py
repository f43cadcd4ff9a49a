"""Limits of calls by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trunkline.cli import app

CREATED = {
    "account": ("acme",),
    "device": ("--user", "an", "--sip-user", "an1"),
    "trunk": ("carrier", "--host", "127.0.0.1:5060"),
}
NAMED = {"account": "acme", "device": "an1", "trunk": "carrier"}
USUAL = {"account": (200, 1200), "device": (10, 180), "trunk": (200, None)}


class Office:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.run("account", "create", "acme")
        self.run("user", "create", "--account", "acme", "an")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--data", str(self.data), *words])

    def made(self, *words: str) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def create(self, kind: str, *options: str) -> Any:
        if kind == "account":
            return self.made("account", "create", "other", *options)
        return self.made(kind, "create", *CREATED[kind], "--account", "acme", *options)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.mark.parametrize("kind", CREATED)
def test_each_kind_has_limits(kind: str, office: Office) -> None:
    entry = office.create(kind)
    assert (entry["maxCalls"], entry["maxRate"]) == USUAL[kind]
    changed = office.made(kind, "set", NAMED[kind], "--max-calls", "0", "--max-rate", "none")
    assert (changed["maxCalls"], changed["maxRate"]) == (0, None)
    shown = office.made(kind, "show", NAMED[kind])
    assert (shown["maxCalls"], shown["maxRate"]) == (0, None)


@pytest.mark.parametrize("kind", CREATED)
def test_a_limit_is_given_at_the_beginning(kind: str, office: Office) -> None:
    entry = office.create(kind, "--max-calls", "none", "--max-rate", "7")
    assert (entry["maxCalls"], entry["maxRate"]) == (None, 7)


@pytest.mark.parametrize("word", ["-1", "1.5", "many", "", "100000", "٣", "1\n"])
def test_what_is_no_limit_is_refused(word: str, office: Office) -> None:
    for option in ("--max-calls", "--max-rate"):
        result = office.run("account", "set", "acme", option, word)
        assert result.exit_code == 1
        assert option in result.output
    assert office.run("trunk", "create", "t", "--account", "acme", "--host", "h", "--max-calls", word).exit_code == 1  # fmt: skip


@pytest.mark.parametrize("kind", CREATED)
def test_nothing_to_set_is_said(kind: str, office: Office) -> None:
    if kind != "account":
        office.create(kind)
    assert "--max-calls" in office.run(kind, "set", NAMED[kind]).output

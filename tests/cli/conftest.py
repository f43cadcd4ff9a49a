from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trunkline.cli import app

from .office import Office, Run, Told
from .served import Served, Start, Tailing


@pytest.fixture
def office(tmp_path: Path) -> Office:
    (tmp_path / "data").mkdir()
    return Office(tmp_path / "data")


@pytest.fixture
def run(office: Office) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, ["--data", str(office.data), *words])

    return invoke


@pytest.fixture
def told(run: Run) -> Told:
    """Run a command that must work, and read its JSON."""

    def invoke(*words: str) -> Any:
        result = run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return invoke


@pytest.fixture
def served(office: Office) -> Iterator[Served]:
    server = Served(office)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def key(office: Office, told: Told) -> str:
    words = ("key", "create", "tail", "--account", "acme", "--scopes", "events:read")
    return str(told(*words)["key"])


@pytest.fixture
def tailing() -> Iterator[Start]:
    running: list[Tailing] = []

    def start(*words: str, **env: str) -> Tailing:
        running.append(Tailing(*words, **env))
        return running[-1]

    yield start
    for each in running:
        each.process.kill()
        each.process.wait()

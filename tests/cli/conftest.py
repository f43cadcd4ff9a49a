from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trunkline.cli import app

from .office import Office, Run, Told


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

"""``make bench-history`` at two thousand calls, on both databases."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, dict[str, Any]]]:
    """Each figure by its name; the calls are made for it, and counted anew."""
    folder = Path(
        tempfile.mkdtemp(prefix="tl-bench-")
    )  # open to PostgreSQL's user, unlike tmp_path
    folder.chmod(0o755)
    command = [sys.executable, "-m", "bench.histories", "--calls", "2000", "--quick", "--json"]
    command += ["--dir", str(folder), "--only", "pages", "totals", "ingest"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (folder / "2000-calls" / "results.json").exists()
        yield {figure["name"]: figure for figure in json.loads(done.stdout)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", ["SQLite", "PostgreSQL"])
@pytest.mark.parametrize("when", ["idle", "calls written"])
def test_every_total_is_exact(figures: dict[str, dict[str, Any]], name: str, when: str) -> None:
    """Also of windows that end among calls that are being written."""
    found = figures[f"{name}, {when}: totals that are not exact"]
    assert found["baseline"] >= 20
    assert found["candidate"] == 0


@pytest.mark.parametrize("name", ["SQLite", "PostgreSQL"])
def test_all_is_measured_that_is_told_of(figures: dict[str, dict[str, Any]], name: str) -> None:
    """Pages beside the first one and beside OFFSET, and what comes in."""
    names = [each for each in figures if each.startswith(name)]
    for wanted in ("page 1, p50", "p99 / page 1", "OFFSET and COUNT(*)", "ingest, a call"):
        assert any(wanted in each for each in names), (wanted, names)
    assert figures[f"{name}: calls written meanwhile"]["candidate"] > 0

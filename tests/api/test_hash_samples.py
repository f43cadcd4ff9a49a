"""The samples of docs/guides/hashes.md, run as they stand against a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import ACCOUNT, APP_ID, SECRET, World

GUIDE = Path(__file__).parents[2] / "docs/guides/hashes.md"
SAMPLES = re.findall(r"^```(bash|python|js)\n(.*?)^```", GUIDE.read_text(), re.S | re.M)
RUNNERS = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"], "js": ["node", "-e"]}
TOOLS = {"bash": ("bash", "curl", "openssl"), "python": (), "js": ("node",)}


def test_there_are_samples_in_three_languages_for_both_ways() -> None:
    assert sorted(language for language, _ in SAMPLES) == [
        "bash",
        "bash",
        "js",
        "js",
        "python",
        "python",
    ]


@pytest.mark.parametrize(
    ("language", "code"), SAMPLES, ids=[f"{n}-{one[0]}" for n, one in enumerate(SAMPLES)]
)
def test_the_sample_works(
    world: World, served: Callable[..., str], language: str, code: str
) -> None:
    for tool in TOOLS[language]:
        assert shutil.which(tool), f"{tool} is not installed: `make test` gets it"
    world.now = int(time.time() - 3600) * 1_000_000
    url = served()
    world.now = int(time.time()) * 1_000_000
    environment = {**os.environ, "TRUNKLINE_URL": url, "APP_ID": APP_ID, "APP_SECRET": SECRET}
    ran = subprocess.run(
        [*RUNNERS[language], code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    asked = [(*one[:1], *one[3:]) for one in world.db.calls.asked]
    placed = [wanted.number for wanted in world.place_call.wanted]
    if "click-to-call" in code:
        assert placed == ["0901234567"]
        assert "1" * 32 in ran.stdout
    else:
        assert asked in ([(ACCOUNT, 50, 1)], [(ACCOUNT, 20, 1)])
        assert "call-0" in ran.stdout

"""docs/guides/events.md, held against the code; its JavaScript sample is run."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from trunkline.live import LiveLimits
from trunkline.live.bindings import EVENTS, parse

from .conftest import JS, World, until
from .fakes import ACCOUNT, TOKEN

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "events.md").read_text()


@pytest.mark.parametrize("name", sorted({*EVENTS["call"], *EVENTS["device"], "GAP"}))
def test_every_event_is_in_the_guide(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_the_bindings_in_the_guide_are_right() -> None:
    table = GUIDE.partition("| Binding | Brings |")[2].partition("\n\n")[0]
    bindings = [
        text
        for row in re.findall(r"^\| (`[^|]*) \|", table, re.M)
        for text in re.findall("`([^`]+)`", row)
    ]

    assert len(bindings) == 6
    assert [parse(text).text for text in bindings] == bindings


def test_the_limits_in_the_guide_are_right() -> None:
    limits = LiveLimits()

    assert f"more than {limits.subscriptions} bindings" in GUIDE
    assert f"more than {limits.frames_per_second} frames" in GUIDE
    assert f"{limits.buffered_events:,} events wait" in GUIDE
    assert f"{limits.frame_bytes // 1024} KiB" in GUIDE


async def test_the_sample_in_the_guide_works(
    listen_js: list[str], world: World, tmp_path: Path
) -> None:
    sample = GUIDE.partition("```js\n")[2].partition("```")[0]
    (tmp_path / "sample.mjs").write_text(sample)
    os.symlink(JS / "node_modules", tmp_path / "node_modules")
    env = {"TRUNKLINE_URL": world.url, "ACCOUNT_ID": ACCOUNT, "AUTH_TOKEN": TOKEN}
    process = await asyncio.create_subprocess_exec(
        *(listen_js[0], str(tmp_path / "sample.mjs")),
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await until(lambda: world.live._hub._accounts)
        world.phones.say("CHANNEL_CREATE", "leg7")
        assert process.stdout
        async with asyncio.timeout(20):
            line = await process.stdout.readline()
    finally:
        process.terminate()
        await process.wait()

    assert line == b"new leg leg7\n"


def test_the_packages_of_the_javascript_client_name_no_host() -> None:
    assert shutil.which("node")
    assert "://" not in (JS / "package-lock.json").read_text()

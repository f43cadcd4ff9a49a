"""docs/guides/events.md, held against the code; its JavaScript sample is run."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from trunkline.events.bindings import EVENTS, parse
from trunkline.live import LiveLimits

from .conftest import JS, World, until
from .fakes import ACCOUNT, TOKEN

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "events.md").read_text()


@pytest.mark.parametrize(
    "name", sorted({"GAP", *(name for names in EVENTS.values() for name in names)})
)
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
    assert f"{limits.buffered_bytes // 1024} KiB wait" in GUIDE
    assert f"not taken them within {limits.behind_seconds:.0f} seconds" in GUIDE
    assert f"{limits.frame_bytes // 1024} KiB" in GUIDE
    assert f"has {limits.stall_seconds:.0f} seconds to take" in GUIDE
    assert f"pings every {limits.ping_seconds:.0f} seconds" in GUIDE
    assert f"no sign of life for {2 * limits.ping_seconds:.0f}" in GUIDE
    assert f"comment every {limits.keep_alive_seconds:.0f} seconds" in GUIDE


async def _run(node: str, sample: str, world: World, tmp_path: Path) -> bytes:
    """The first line that a sample prints."""
    (tmp_path / "sample.mjs").write_text(sample)
    os.symlink(JS / "node_modules", tmp_path / "node_modules")
    env = {"TRUNKLINE_URL": world.url, "ACCOUNT_ID": ACCOUNT, "AUTH_TOKEN": TOKEN}
    process = await asyncio.create_subprocess_exec(
        *(node, str(tmp_path / "sample.mjs")),
        env={**os.environ, **env, "TRUNKLINE_KEY": "tlk_k"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await until(lambda: world.live._hub._accounts)
        world.phones.say("CHANNEL_CREATE", "leg7")
        assert process.stdout
        async with asyncio.timeout(20):
            return await process.stdout.readline()
    finally:
        process.terminate()
        await process.wait()


SAMPLES = re.findall(r"```js\n(.*?)```", GUIDE, re.S)


@pytest.mark.parametrize(
    ("sample", "line"), [(SAMPLES[0], b"new leg leg7\n"), (SAMPLES[1], b"1 CHANNEL_CREATE\n")]
)
async def test_the_samples_in_the_guide_work(
    listen_js: list[str], world: World, tmp_path: Path, sample: str, line: bytes
) -> None:
    assert await _run(listen_js[0], sample, world, tmp_path) == line


def test_the_packages_of_the_javascript_client_name_no_host() -> None:
    assert shutil.which("node")
    lock = json.loads((JS / "package-lock.json").read_text())

    assert not [name for name, package in lock["packages"].items() if "resolved" in package]

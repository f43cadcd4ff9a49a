"""The samples of the README and of the guide to the first call, run as they stand on the real thing."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from .stage import Stage

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FIRST_CALL = (ROOT / "docs/guides/from-zero-to-first-call.md").read_text()
NUMBER = "0901230903"
"""The carrier answers this one at once, and hangs up after 3 seconds."""


def samples(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.S | re.M)


@pytest_asyncio.fixture(loop_scope="session")
async def environment(stage: Stage) -> AsyncIterator[dict[str, str]]:
    """What the samples read: an account whose phone picks up, and whose carrier does, too."""
    tenant = await stage.tenant()
    device = await tenant.user("an", "--extension", "101")
    carrier = await stage.carrier(tone=880)
    await tenant.trunk(carrier.host)
    await stage.phone(device)
    for _ in range(100):
        if (await stage.server.cli("device", "show", device.sip_user))["online"]:
            break
        await asyncio.sleep(0.1)
    yield {
        **os.environ,
        "TRUNKLINE_URL": stage.server.url,
        "APP_ID": tenant.api.app_id,
        "APP_SECRET": tenant.api.secret,
        "SIP_USER": device.sip_user,
        "SIP_PASSWORD": device.password,
        "NUMBER": NUMBER,
    }


async def run(code: str, environment: dict[str, str], folder: Path) -> str:
    """What the shell sample says; it must end well."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", code,
        env=environment, cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_readmes_call_and_its_events(environment: dict[str, str], tmp_path: Path) -> None:
    [call], [events] = samples(README, "bash"), samples(README, "js")
    (tmp_path / "node_modules").symlink_to(ROOT / "tests/js/node_modules")
    (tmp_path / "events.mjs").write_text(events)
    listener = await asyncio.create_subprocess_exec(
        "node", "events.mjs", env=environment, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert listener.stdout
    try:
        async with asyncio.timeout(90):
            assert await listener.stdout.readline() == b"listening\n"
            said = await run(call, environment, tmp_path)
            heard = (await listener.stdout.read()).decode().splitlines()
            assert await listener.wait() == 0
    finally:
        if listener.returncode is None:
            listener.kill()

    assert '"success":true' in said
    names = [line.split()[0] for line in heard]
    assert names[0] == "CHANNEL_CREATE"
    assert names.count("CHANNEL_BRIDGE") == 2
    assert names[-2] == "CALL_ENDED"
    assert re.fullmatch(r"SUCCESS \d+ call_recording_\w+\.mp3", heard[-1])


async def test_the_first_call_of_the_guide(environment: dict[str, str], tmp_path: Path) -> None:
    call, record = samples(FIRST_CALL, "bash")

    said = await run(call, environment, tmp_path)
    [call_id] = re.findall(r"^call ([0-9a-f]{32})$", said, re.M)
    for _ in range(60):
        history = await run(record.partition("\nmedia=")[0], environment, tmp_path)
        if call_id in history:
            break
        await asyncio.sleep(0.5)
    shown = await run(record, environment, tmp_path)

    assert call_id in shown
    assert '"status_detail":"SUCCESS"' in shown
    audio = (tmp_path / "call.mp3").read_bytes()
    assert audio[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xe3", b"\xff\xf2", b"ID")

"""docs/guides/webhooks.md, held against the code; its receivers are run."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from trunkline.delivery.verdict import RetryPolicy
from trunkline.server.settings import Settings
from trunkline.work.manage.webhooks import MOST

from .webhook_office import WebhookOffice, until

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "webhooks.md").read_text()
JS = ROOT / "tests" / "js"


def sample(language: str) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.S | re.M)[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def node() -> str:
    """Node, with the library of the sample."""
    program, npm = shutil.which("node"), shutil.which("npm")
    assert program, "the sample needs node"
    assert npm, "the sample needs npm"
    if not (JS / "node_modules" / "standardwebhooks").exists():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=JS, check=True, timeout=180)
    return program


@pytest.mark.parametrize("language", ["python", "js"])
async def test_the_receivers_verify_and_pass_over_duplicates(language: str, tmp_path: Path) -> None:
    program, file = sys.executable, tmp_path / "receiver.py"
    if language == "js":
        program, file = node(), tmp_path / "receiver.mjs"
        (tmp_path / "node_modules").symlink_to(JS / "node_modules")
    file.write_text(sample(language))
    office, port = WebhookOffice(tmp_path / "trunkline.db"), free_port()
    office.deliverer(RetryPolicy(pauses=(0.1,) * 1000))
    webhook, secret = await office.webhook(f"http://127.0.0.1:{port}/hooks")
    receiver = await asyncio.create_subprocess_exec(
        program,
        str(file),
        env={**os.environ, "TRUNKLINE_WEBHOOK_SECRET": secret, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with office.running():
            await office.calls(3)
            await until(office.through)
            (first, *_) = await office.deliveries(webhook)
            await office.manage.replay_one(webhook, first.id)
            await until(office.through)
            await office.calls(1)
            await until(office.through)
        assert receiver.stdout is not None
        lines = [(await receiver.stdout.readline()).decode().split() for _ in range(4)]
    finally:
        receiver.kill()
        await receiver.wait()
    assert lines == [[str(n), "CHANNEL_CREATE", "c0"] for n in range(1, 5)]
    assert await office.states(webhook) == {"delivered"}
    await office.db.close()


def test_the_numbers_of_the_guide_are_those_of_the_code() -> None:
    defaults = Settings()
    words = ("5 s", "5 min", "30 min", "2 h", "5 h", "10 h", "14 h", "20 h", "24 h")
    seconds = {"s": 1, "min": 60, "h": 3600}
    told = [int(word.split()[0]) * seconds[word.split()[1]] for word in words]
    assert ",".join(map(str, told)) == defaults.webhook_retry_seconds
    text = " ".join(GUIDE.split())
    assert ", ".join(words[:-1]) + " and " + words[-1] in text
    assert f"up to {MOST} webhooks" in text
    assert f"You have {defaults.webhook_timeout_seconds} s" in text
    assert f"failed for {defaults.webhook_suspend_days} days" in text
    assert RetryPolicy() == RetryPolicy(
        tuple(map(float, told)), defaults.webhook_suspend_days * 86_400
    )

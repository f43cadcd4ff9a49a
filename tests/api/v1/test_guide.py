"""The samples of docs/guides/api-v1.md and of the README, run as they stand."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from store.making import record
from trunkline.api.application import build_api
from trunkline.api.v1 import events
from trunkline.api.v1.calls import CallsQuery
from trunkline.api.v1.conventions.idempotency import KEPT
from trunkline.api.v1.conventions.long_polls import MOST
from trunkline.events.stored import Announcement
from trunkline.store.ports.database import Batch

from .conftest import Office

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/guides/api-v1.md").read_text()
CALLS = (ROOT / "docs/guides/calls.md").read_text()
README = (ROOT / "README.md").read_text()


def samples(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.S | re.M)


@pytest.fixture
async def environment(office: Office) -> AsyncIterator[dict[str, str]]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build_api(office.deps()), log_level="error"))
    serving = asyncio.create_task(server.serve([listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield {**os.environ, "TRUNKLINE_URL": url, "TRUNKLINE_KEY": office.key()}
    server.should_exit = True
    await serving


async def run(environment: dict[str, str], *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return out.decode()


async def call_ended(office: Office) -> None:
    body = {"Event-Name": "CALL_ENDED", "status_detail": "SUCCESS"}
    account_id = office.account.account_id
    told = Announcement(account_id, "call", "CALL_ENDED", "c1", office.now, body, "c1")
    office.bus.publish(await office.db.events.append([told]))


async def test_the_curl_samples(office: Office, environment: dict[str, str]) -> None:
    await call_ended(office)
    office.key()
    me, log, pages = [
        await run(environment, "bash", "-euc", sample) for sample in samples(GUIDE, "bash")
    ]
    assert f'"account_id":"{office.account.account_id}"' in me
    assert '"type":"CALL_ENDED"' in log
    assert 'rel="next"' in pages
    (readme,) = (sample for sample in samples(README, "sh") if "/v1/events" in sample)
    assert await run(environment, "bash", "-euc", readme) == log


async def test_the_python_sample(office: Office, environment: dict[str, str]) -> None:
    await call_ended(office)
    await office.tell()
    (sample,) = samples(GUIDE, "python")
    assert await run(environment, sys.executable, "-c", sample) == "1 c1 SUCCESS\n"


def test_the_numbers_of_the_guide_are_right() -> None:
    assert f"at most {events.MOST_LOOKED_AT:,} events" in GUIDE
    assert KEPT == 24 * 3_600_000_000
    page = (ROOT / "docs/reference/errors.md").read_text()
    assert f"More than {MOST} requests" in page


async def test_the_samples_of_the_guide_to_calls(
    office: Office, environment: dict[str, str]
) -> None:
    made = record("c1", office.account.account_id, status_detail="BUSY")
    await office.db.calls.commit(Batch(finished=[made]))
    for sample in samples(CALLS, "bash"):
        answer = json.loads(await run(environment, "bash", "-c", sample))
        assert "c1" in str(answer)
    (follow,) = samples(CALLS, "python")
    assert await run(environment, sys.executable, "-c", follow) == "3 c1 BUSY\n"
    for parameter in CallsQuery.__struct_fields__:
        if parameter != "cursor":
            assert f"`{parameter.rstrip('_')}" in CALLS or f"{parameter}=" in CALLS

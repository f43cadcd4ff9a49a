"""The sandbox: phones and a carrier that need no hardware, and the demonstration on top of them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from trunkline.sandbox.magic_numbers import MAGIC_NUMBERS

from .api import Api
from .ports import Ports
from .server import CommandFailed, Server
from .tones import Sound
from .waiting import until

QUICK = [magic for magic in MAGIC_NUMBERS if magic.number in ("5550102", "5550104", "5550105")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox(
    ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Server, Api, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("sandbox")
    settings = {"sandbox": True, "ring_seconds": 4, "drain_seconds": 1}
    server = Server(folder / "data", ports.one(), ports.one(), ports.range(100), settings)
    await server.start()
    shown = await server.cli("sandbox", "show")
    try:
        yield (
            server,
            Api(server.url, shown["accountId"], shown["appId"], shown["appSecret"]),
            shown["phones"],
        )
    finally:
        await server.stop()


async def _record_of(api: Api, phones: dict[str, str], number: str, phone: str) -> dict[str, Any]:
    placed = await api.click_to_call(number, phone, phones[phone])
    assert placed.status_code == 200, placed.text
    return await api.record(placed.json()["call_id"], 60)


def test_every_listed_number_is_in_the_sandbox_dialplan() -> None:
    dialplan = (
        resources.files("trunkline.engine") / "config" / "sandbox" / "extensions.conf"
    ).read_text()
    dialled = re.findall(r"^exten => (555\d+),1,", dialplan, re.MULTILINE)
    assert dialled == [magic.number for magic in MAGIC_NUMBERS]


async def test_numbers_that_refuse_make_the_records_that_the_list_promises(sandbox) -> None:
    _, api, phones = sandbox
    records = [
        await _record_of(api, phones, magic.number, phone)
        for magic, phone in zip(QUICK, phones, strict=False)
    ]
    got = [record["status_detail"] for record in records]
    assert got == [magic.status_detail for magic in QUICK]


async def test_a_number_that_never_answers_is_unsuccess(sandbox) -> None:
    _, api, phones = sandbox
    record = await _record_of(api, phones, "5550103", "sandbox-alice")
    assert (record["status_detail"], record["recording"]) == ("UNSUCCESS", "")


async def test_the_phone_hums_left_and_the_carrier_right(sandbox) -> None:
    _, api, phones = sandbox
    record = await _record_of(api, phones, "5550107", "sandbox-bob")

    async def url() -> str | None:
        answer = await api.play_recording(record["recording"])
        return answer.json().get("media")

    sound = Sound((await api.http.get(await until(url, "the recording"))).content)
    shares = (sound.share(0, 350), sound.share(1, 440))
    assert min(shares) > 0.9, (shares, sound.heard(0), sound.heard(1))


async def test_a_sandbox_account_gets_no_real_trunk(sandbox) -> None:
    server, _, _ = sandbox
    with pytest.raises(CommandFailed, match="reach no real trunk"):
        await server.cli("trunk", "create", "real", "--account", "sandbox", "--host", "127.0.0.9")


async def test_the_sandbox_keeps_its_credentials_over_a_restart(sandbox) -> None:
    server, _, _ = sandbox
    before = await server.cli("sandbox", "show")
    await server.stop()
    await server.start()
    assert await server.cli("sandbox", "show") == before


async def test_the_demonstration_shows_a_whole_call_and_ends_well(tmp_path: Path) -> None:
    # Asterisk cuts names of many kinds at 79 characters: a long directory must not matter.
    data = tmp_path / "a-directory-with-a-long-name" / "in-another-with-a-longer-name" / "data"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "trunkline",
        "--data",
        str(data),
        "demo",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 200)
    said = out.decode()
    assert process.returncode == 0, err.decode() + said
    events = re.findall(r"#\d+\s+([A-Z_]+)", said)
    assert events.count("CHANNEL_DESTROY") == 2
    assert events[-2:] == ["CALL_ENDED", "RECORDING_READY"]
    record = json.loads(said[said.index("    {") : said.index("    }\n==>") + 6])
    assert record["status_detail"] == "SUCCESS"
    assert f"/recordings/{record['recording']}?" in said

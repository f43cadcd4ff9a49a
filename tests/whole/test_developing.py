"""What a developer has before there is a phone: samples, from a whole server, all the ways out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from webhooks.receiver import receiving

from .listener import SocketIo
from .program import Program
from .server import TRUNKLINE
from .stage import Stage
from .waiting import until


async def test_a_sample_call_goes_all_the_ways_out_and_leaves_no_record(
    stage: Stage, tmp_path: Path
) -> None:
    tenant = await stage.tenant()
    cli, data = stage.server.cli, ("--data", str(stage.server.data))
    scopes = ("--scopes", "events:read")
    key = (await cli("key", "create", "laptop", "--account", tenant.name, *scopes))["key"]
    listener = await stage.listen(SocketIo, tenant, 0)
    laptop = {
        "TRUNKLINE_SERVER": stage.server.url,
        "TRUNKLINE_KEY": key,
        "XDG_CONFIG_HOME": str(tmp_path),
    }

    def run(name: str, *words: str) -> Program:
        return Program(name, [TRUNKLINE, *words], tmp_path / f"{name}.log", laptop)

    async with receiving() as receiver:
        url = ("--forward-to", receiver.url)
        secret = run("secret", "webhooks", "listen", "--print-secret")
        assert await secret.ended() == 0
        tail = run("tail", "events", "tail", "--after", "0", "--json")
        listen = run("listen", "webhooks", "listen", "--after", "0", *url)
        try:
            trigger = run("trigger", *data, "events", "trigger", "call", "--account", tenant.name)
            assert await trigger.ended() == 0, trigger.log.read_text()
            await until(lambda: len(receiver.got) >= 14, "the webhooks")
            await until(lambda: len(_lines(tail)) >= 14, "the stream")
        finally:
            await tail.stop()
            await listen.stop()
    await listener.events.wait(lambda one: one.name == "RECORDING_READY", "RECORDING_READY")

    told = _lines(tail)
    assert [event["seq"] for event in told] == list(range(1, 15))
    assert {event["data"]["test"] for event in told} == {True}
    assert [one.verify(secret.log.read_text().strip()) for one in receiver.got] == told
    assert [one.data["state"] for one in listener.events.all] == [e["data"]["state"] for e in told]
    assert await cli("history", "--account", tenant.name) == []
    assert await cli("calls", "list", "--account", tenant.name) == []


def _lines(program: Program) -> list[Any]:
    return [json.loads(line) for line in program.log.read_text().splitlines()]

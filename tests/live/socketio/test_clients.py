"""The real JavaScript clients from npm, 0.9.16 to 4, each on every transport, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ..conftest import JS, World, until
from ..fakes import ACCOUNT, TOKEN

AGES = ("v0", "v1", "v2", "v3", "v4")
TRANSPORTS = ("websocket", "polling", "default")
ASK = {"account_id": ACCOUNT, "auth_token": TOKEN}
CREATED = "call.CHANNEL_CREATE.*"


class Speaker:
    """speak.mjs as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[tuple[str, Any]] = []

    async def next(self) -> tuple[str, Any]:
        assert self._process.stdout
        async with asyncio.timeout(30):
            line = await self._process.stdout.readline()
        said = json.loads(line)
        self.said.append((said["event"], said["data"]))
        return self.said[-1]

    async def until(self, name: str) -> Any:
        """The data of the next line of that name; the others are in ``said``."""
        while (said := await self.next())[0] != name:
            pass
        return said[1]

    async def seqs(self, last: int) -> list[int]:
        """The numbers of all events so far, up to the one with that number."""
        while not any(
            isinstance(data, dict) and data.get("Event-Seq") == last for _, data in self.said
        ):
            await self.next()
        return [
            data["Event-Seq"]
            for _, data in self.said
            if isinstance(data, dict) and "Event-Seq" in data
        ]

    def say(self, line: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(line).encode() + b"\n")

    async def ask(self, event: str, **data: Any) -> Any:
        """Emit and await the acknowledgement."""
        self.say([event, {**ASK, **data}])
        return await self.until("@ack")


@contextlib.asynccontextmanager
async def speaking(
    world: World, age: str, transport: str = "default", always: Any = None
) -> AsyncIterator[Speaker]:
    node, script = ["node", str(JS / "speak.mjs")]
    process = await asyncio.create_subprocess_exec(
        *(node, script, age, world.url, transport),
        *([json.dumps(always)] if always else []),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    try:
        yield Speaker(process)
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()


@pytest.fixture(params=[(age, transport) for age in AGES for transport in TRANSPORTS], ids="-".join)
def kind(request: pytest.FixtureRequest, listen_js: list[str]) -> tuple[str, str]:
    """An age and a transport."""
    assert isinstance(request.param, tuple)
    return request.param


async def test_a_sample_that_subscribes_outside_of_connect(
    world: World, kind: tuple[str, str]
) -> None:
    subscribe = ["subscribe", {**ASK, "binding": CREATED}]
    async with speaking(world, *kind, always=subscribe) as client:
        ack = await client.until("@ack")
        world.phones.say("CHANNEL_ANSWER")
        world.phones.say("CHANNEL_CREATE")
        event = await client.until("CHANNEL_CREATE")

        assert ack == {"status": "success", "subscribed": [CREATED]}
        assert event == {
            "Event-Category": "call_event",
            "Event-Name": "CHANNEL_CREATE",
            "Call-ID": "leg1",
            "Custom-Channel-Vars": {"Account-ID": ACCOUNT, "Username": "hồng"},
            "Event-Seq": 2,
        }


async def test_a_burst_comes_once_and_in_order_also_while_the_transport_changes(
    world: World, kind: tuple[str, str]
) -> None:
    for _ in range(300):
        world.phones.say("CHANNEL_CREATE", "hồng 😀")
    subscribe = ["subscribe", {**ASK, "binding": "call.#", "after": 5}]
    async with speaking(world, *kind, always=subscribe) as client:
        for n in range(300):
            world.phones.say("CHANNEL_ANSWER", f"leg{n}")
            await asyncio.sleep(0.001)

        assert await client.seqs(600) == list(range(6, 601))
        if kind[1] == "default" and kind[0] != "v0":
            assert ("@upgrade", "websocket") in client.said


async def test_errors_and_an_end(world: World, kind: tuple[str, str]) -> None:
    async with speaking(world, *kind) as client:
        bad_token = await client.ask("subscribe", auth_token="f" * 32, binding=CREATED)
        bad_event = await client.ask("subscribe", binding="call.NO.*")
        good = await client.ask("subscribe", binding=CREATED)
        ended = await client.ask("unsubscribe", binding=CREATED)
        world.phones.say("CHANNEL_CREATE")
        await client.ask("subscribe", binding="device.*.*")
        world.phones.say("DEVICE_ONLINE", "phone", category="device")
        await client.until("DEVICE_ONLINE")
        said = [
            said for said in client.said if said[0] in ("auth_failure", "error", "CHANNEL_CREATE")
        ]

        assert bad_token == {"status": "error", "message": "invalid auth token"}
        assert bad_event == {"status": "error", "message": "event NO not supported"}
        assert good["status"] == "success"
        assert ended == {"status": "success", "unsubscribed": [CREATED], "subscribed": []}
        assert said == [
            ("auth_failure", {"message": "invalid auth token"}),
            ("error", {"message": "event NO not supported"}),
        ]


async def test_a_client_that_was_cut_off_comes_back_by_itself(
    world: World, kind: tuple[str, str]
) -> None:
    async with speaking(world, *kind) as client:
        await client.ask("subscribe", binding=CREATED)
        world.phones.say("CHANNEL_CREATE")
        await client.until("CHANNEL_CREATE")
        (session,) = world.live._socket_io._context.sessions.values()
        session.cut("test", 4008)
        error = await client.until("error")
        world.phones.say("CHANNEL_CREATE")
        await client.until("@disconnect")
        await client.until("@connect")
        await client.ask("subscribe", binding=CREATED, after=error["resume_after"])

        assert error == {"message": "test: resume after 1", "resume_after": 1}
        assert await client.seqs(2) == [1, 2]
        assert len(world.live._socket_io) == 1


@pytest.mark.parametrize("age", AGES)
async def test_another_namespace_is_refused_and_the_first_goes_on(
    world: World, listen_js: list[str], age: str
) -> None:
    async with speaking(world, age) as client:
        await client.ask("subscribe", binding=CREATED)
        client.say({"namespace": "/other"})
        why = await client.until("@refused")
        world.phones.say("CHANNEL_CREATE")
        await client.until("CHANNEL_CREATE")

        assert why == ("unauthorized" if age == "v0" else "Invalid namespace")


async def test_leaving_leaves_nothing_behind(world: World, kind: tuple[str, str]) -> None:
    async with speaking(world, *kind) as client:
        await client.ask("subscribe", binding=CREATED)
        context = world.live._socket_io._context
        assert len(context.sessions) == 1
        client.say("disconnect")
        await until(lambda: not context.sessions)

        assert not world.live._hub._accounts
        assert not len(context.wheel)

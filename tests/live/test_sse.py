"""Server-sent events, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from trunkline.live import LiveLimits

from .conftest import Start, World, until
from .fakes import ACCOUNT, OTHER

PATH = "/v1/events/stream"
KEY = {"Authorization": "Bearer tlk_k"}


class Stream:
    """An open stream; ``next`` gives (id, event, data) of each event."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.blocks: list[str] = []
        self._text = response.aiter_text()
        self._rest = ""

    async def block(self) -> str:
        async with asyncio.timeout(20):
            while "\n\n" not in self._rest:
                self._rest += await anext(self._text)
        block, _, self._rest = self._rest.partition("\n\n")
        return block

    async def next(self) -> tuple[int, str, dict[str, Any]]:
        while (block := await self.block()).startswith((":", "retry")):
            self.blocks.append(block)
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        return int(fields["id"]), fields["event"], json.loads(fields["data"])


@contextlib.asynccontextmanager
async def streaming(
    world: World, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(base_url=world.url, timeout=20) as http,
        http.stream("GET", f"{PATH}{query}", headers={**KEY, **(headers or {})}) as response,
    ):
        assert response.status_code == 200, await response.aread()
        yield Stream(response)


async def test_everything_comes_as_it_happens(world: World) -> None:
    world.phones.say("CHANNEL_CREATE")
    async with streaming(world) as stream:
        await until(lambda: world.live.connections()["sse"] == 1)
        said = world.phones.say("CHANNEL_CREATE", "leg7")
        world.phones.say("CHANNEL_CREATE", account=OTHER)
        world.phones.say("DEVICE_ONLINE", "phone1", category="device")
        first, second = await stream.next(), await stream.next()

    assert stream.blocks == ["retry: 1000"]
    assert [first[:2], second[:2]] == [(2, "CHANNEL_CREATE"), (3, "DEVICE_ONLINE")]
    assert {name: first[2][name] for name in ("seq", "type", "category", "subject")} == {
        "seq": said.seq,
        "type": "CHANNEL_CREATE",
        "category": "call",
        "subject": "leg7",
    }
    headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert (headers["x-request-id"], headers["ratelimit"]) == ("request-1", '"second";r=99;t=1')


@pytest.mark.parametrize(
    ("query", "headers", "numbers"),
    [
        ("?after=0", {}, [1, 2, 3, 4, 5, 6]),
        ("?after=4", {}, [5, 6]),
        ("?after=4", {"Last-Event-ID": "2"}, [3, 4, 5, 6]),
        ("?after=4", {"Last-Event-ID": ""}, [5, 6]),
        ("?after=0&types=device.%23", {}, [2, 4, 6]),
        ("?after=0&types=call.CHANNEL_CREATE.*,device.*.*,%23", {}, [1, 2, 3, 4, 5, 6]),
        ("?after=0&types=call.CHANNEL_CREATE.*&types=device.DEVICE_ONLINE.p2", {}, [1, 3, 4, 5]),
        ("?after=99", {}, []),
    ],
)
async def test_it_begins_where_it_is_asked_to(
    world: World, query: str, headers: dict[str, str], numbers: list[int]
) -> None:
    for n in (1, 2, 3):
        world.phones.say("CHANNEL_CREATE")
        world.phones.say("DEVICE_ONLINE", f"p{n}", category="device")
    async with streaming(world, query, headers) as stream:
        await until(lambda: world.live.connections()["sse"] == 1)
        world.phones.say("CHANNEL_CREATE")
        world.phones.say("DEVICE_ONLINE", "p2", category="device")
        got = [(await stream.next())[0]]
        while got[-1] != 8:
            got.append((await stream.next())[0])

    assert [number for number in got if number <= 6] == numbers


async def test_a_long_replay_joins_the_live_stream_and_lost_numbers_are_a_gap(
    world: World,
) -> None:
    for _ in range(1500):
        world.phones.say("CHANNEL_CREATE")
    world.events.forget(ACCOUNT, upto=10)
    async with streaming(world, "?after=5") as stream:
        for _ in range(50):
            world.phones.say("CHANNEL_ANSWER")
            await asyncio.sleep(0)
        number, name, gap = await stream.next()
        rest = [(await stream.next())[0] for _ in range(1540)]

    assert (number, name, gap["data"]) == (10, "GAP", {"from": 6, "to": 10})
    assert rest == list(range(11, 1551))


@pytest.mark.parametrize(
    ("query", "key", "status", "code"),
    [
        ("", "", 401, "key_invalid"),
        ("", "Bearer tlk_other", 401, "key_invalid"),
        ("?types=call.NO.*", "Bearer tlk_k", 400, "parameters_invalid"),
    ],
)
async def test_what_is_refused(world: World, query: str, key: str, status: int, code: str) -> None:
    async with httpx.AsyncClient(base_url=world.url) as http:
        answer = await http.get(f"{PATH}{query}", headers={"Authorization": key})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert world.live.connections()["sse"] == 0
    assert len(world.live._hub.usage) == 0


async def test_other_methods(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.url) as http:
        head = await http.head(PATH, headers=KEY)
        nobody = await http.head(PATH)
        post = await http.post(PATH, headers=KEY)
        options = await http.options(PATH)

    assert (head.status_code, head.headers["content-type"], head.content) == (
        200,
        "text/event-stream; charset=utf-8",
        b"",
    )
    assert head.headers["x-request-id"] == "request-1"
    assert nobody.status_code == 401
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD")
    assert options.text == f"api http {PATH}"
    assert world.live.connections()["sse"] == 0


async def test_one_scope_is_not_another(world: World) -> None:
    key = world.keys.keys["Bearer tlk_k"]
    world.keys.keys["Bearer tlk_k"] = type(key)(
        key.id, key.account_id, key.name, frozenset({"calls:read"}), ()
    )
    async with httpx.AsyncClient(base_url=world.url) as http:
        answer = await http.get(PATH, headers=KEY)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (("*",), "https://crm.example", "*"),
        (("https://crm.example",), "https://crm.example", "https://crm.example"),
        (("https://crm.example",), "https://evil.example", None),
    ],
)
async def test_pages_of_other_origins(
    start: Start, origins: tuple[str, ...], origin: str, allowed: str | None
) -> None:
    world = await start(origins=origins)
    async with streaming(world, headers={"Origin": origin}) as stream:
        headers = stream.response.headers
    async with httpx.AsyncClient(base_url=world.url) as http:
        refused = await http.get(PATH, headers={"Origin": origin})

    assert headers.get("access-control-allow-origin") == allowed
    assert refused.headers.get("access-control-allow-origin") == allowed
    assert ("RateLimit" in headers.get("access-control-expose-headers", "")) == bool(allowed)


async def test_who_leaves_leaves_nothing_behind(world: World) -> None:
    async with streaming(world, "?types=call.*.*"):
        await until(lambda: world.live.connections()["sse"] == 1)
    await until(lambda: world.live.connections()["sse"] == 0)

    assert not world.live._hub._accounts
    assert len(world.live._hub.usage) == 0


async def test_a_silent_stream_is_kept_alive(start: Start) -> None:
    world = await start(LiveLimits(keep_alive_seconds=0.1))
    async with streaming(world) as stream:
        blocks = [await stream.block() for _ in range(4)]

    assert blocks == ["retry: 1000", *([": keep-alive"] * 3)]


async def test_a_key_that_is_revoked_ends_its_streams(start: Start) -> None:
    world = await start(LiveLimits(keep_alive_seconds=0.1))
    async with streaming(world) as stream:
        world.keys.keys.clear()
        text = "".join([part async for part in stream.response.aiter_text()])

    assert text.endswith(": the key is good no more\n\n")


async def test_a_key_may_have_so_many_streams(start: Start) -> None:
    world = await start(LiveLimits(streams_per_key=2))
    async with (
        streaming(world),
        streaming(world),
        httpx.AsyncClient(base_url=world.url) as http,
    ):
        third = await http.get(PATH, headers=KEY)
    await until(lambda: world.live.connections()["sse"] == 0)
    async with streaming(world) as stream:
        assert await stream.block() == "retry: 1000"

    assert third.status_code == 429
    assert third.json()["detail"] == "Too many streams: at most 2 of one key."


async def test_a_key_may_have_so_many_bindings(start: Start) -> None:
    world = await start(LiveLimits(subscriptions_per_app=3))
    async with (
        streaming(world, "?types=call.*.*,device.*.*"),
        httpx.AsyncClient(base_url=world.url) as http,
    ):
        more = await http.get(f"{PATH}?types=call.*.*,device.*.*", headers=KEY)

    assert more.status_code == 429
    assert more.json()["detail"] == "Too many subscriptions: at most 3 of one key."


async def test_a_slow_reader_is_cut_off_and_resumes(start: Start) -> None:
    world = await start(LiveLimits(buffered_bytes=50_000, behind_seconds=0.1))
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n{_lines(KEY)}\r\n".encode())
    await reader.readuntil(b"retry: 1000\n\n")
    async with asyncio.timeout(60):
        while ACCOUNT in world.live._hub._accounts:
            for _ in range(40):
                world.phones.say("CHANNEL_CREATE", "x" * 1000)
            await asyncio.sleep(0.001)
        rest = await reader.read()
    numbers = [int(number) for number in re.findall(rb"^id: (\d+)$", rest, re.M)]
    async with streaming(world, headers={"Last-Event-ID": str(numbers[-1])}) as stream:
        world.phones.say("CHANNEL_CREATE")
        again = (await stream.next())[0]
    writer.close()

    assert numbers == list(range(1, len(numbers) + 1))
    assert rest.endswith(f": too slow: resume after {numbers[-1]}\n\n\r\n0\r\n\r\n".encode())
    assert again == numbers[-1] + 1


async def test_a_frozen_reader_is_let_go(start: Start) -> None:
    world = await start(LiveLimits(buffered_bytes=50_000, behind_seconds=0.1, stall_seconds=0.2))
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n{_lines(KEY)}\r\n".encode())
    await reader.readuntil(b"retry: 1000\n\n")
    async with asyncio.timeout(60):
        while ACCOUNT in world.live._hub._accounts:
            for _ in range(40):
                world.phones.say("CHANNEL_CREATE", "x" * 1000)
            await asyncio.sleep(0.001)
        await until(lambda: not world.server.server_state.connections)
    writer.close()


async def test_no_stream_begins_that_was_being_admitted_when_the_server_ended(world: World) -> None:
    admit, reached, admitted = world.keys.admit, asyncio.Event(), asyncio.Event()

    async def slowly(*asked: Any) -> Any:
        reached.set()
        await admitted.wait()
        return await admit(*asked)

    world.live._streams.deps = dataclasses.replace(world.live._streams.deps, admit=slowly)
    async with httpx.AsyncClient(base_url=world.url, timeout=20) as http:
        asking = asyncio.create_task(http.get(PATH, headers=KEY))
        await reached.wait()
        await world.live.close()
        admitted.set()
        async with asyncio.timeout(20):
            answer = await asking

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_the_servers_end_ends_the_stream(world: World) -> None:
    async with streaming(world) as stream:
        await until(lambda: world.live.connections()["sse"] == 1)
        world.phones.say("CHANNEL_CREATE")
        await world.live.close()
        rest = "".join([part async for part in stream.response.aiter_text()])
    async with httpx.AsyncClient(base_url=world.url) as http:
        late = await http.get(PATH, headers=KEY)

    assert rest.count("event: CHANNEL_CREATE") == 1
    assert (late.status_code, late.json()["code"]) == (503, "unavailable")


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())

"""Sockets that show no token, many from one address, and streams that nobody reads."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from trunkline.live import LiveLimits
from trunkline.live.http.addresses import Addresses

from .conftest import Start, World, until
from .fakes import ACCOUNT, OTHER, OTHER_TOKEN, TOKEN
from .test_kazoo import Client
from .test_sse import KEY, PATH, streaming

SIO = "/socket.io/?EIO=4&transport="


def sio_url(world: World) -> str:
    return f"ws://127.0.0.1:{world.port}{SIO}websocket"


async def ended(socket: ClientConnection) -> tuple[int, str]:
    """(code, reason) of its end."""
    async with asyncio.timeout(20):
        await socket.wait_closed()
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


async def test_a_socket_without_a_token_is_closed(start: Start) -> None:
    world = await start(LiveLimits(sign_in_seconds=0.3))
    async with (
        connect(world.ws) as kazoo,
        connect(sio_url(world)) as sio,
        connect(world.ws) as ours,
    ):
        await Client(ours).subscribe("call.*.*")
        await sio.send("40")
        await Client(kazoo).ask(action="ping")
        assert (await ended(kazoo))[0] == 4001
        assert (await ended(sio))[0] == 4001
        assert await Client(ours).ask(action="ping")
    await until(lambda: not world.live.connections()["websocket"])
    assert not len(world.live._kazoo._sign_ins)
    assert not len(world.live._socket_io._context.sign_ins)


async def test_a_polling_session_without_a_token_is_ended(start: Start) -> None:
    world = await start(LiveLimits(sign_in_seconds=0.3))
    async with httpx.AsyncClient(base_url=world.url, timeout=20) as http:
        for _ in range(3):
            assert (await http.get(f"{SIO}polling")).status_code == 200
    session = next(iter(world.live._socket_io._context.sessions.values()))
    await until(lambda: session._cut or session.ended)


async def test_sockets_and_sessions_without_a_token_give_way_to_newcomers(start: Start) -> None:
    addresses = Addresses(3)
    world = await start(addresses=addresses)
    sessions = world.live._socket_io._context.sessions
    async with (
        connect(world.ws) as ours,
        connect(world.ws) as first,
        connect(sio_url(world)) as second,
        httpx.AsyncClient(base_url=world.url) as http,
    ):
        await Client(ours).subscribe("call.*.*")  # from now on it counts for its app
        assert (await http.get(f"{SIO}polling")).status_code == 200
        assert (await ended(first))[0] == 1013
        assert (await http.get("/socket.io/1/")).status_code == 200
        assert (await ended(second))[0] == 1013
        assert len(sessions) == 2
        for _ in range(10):
            assert (await http.get(f"{SIO}polling")).status_code == 200
        assert len(sessions) == 2
        assert addresses.counts[False].total() == 3
        assert await Client(ours).ask(action="ping")
    for session in list(sessions.values()):
        session.end()
    await until(lambda: not addresses.counts[False] and not addresses.counts[True])


@contextlib.asynccontextmanager
async def signed_in(world: World) -> AsyncIterator[dict[str, Any]]:
    async with connect(world.ws) as socket:
        yield await Client(socket).subscribe("call.*.*")


async def test_an_address_has_so_many_that_are_signed_in(start: Start) -> None:
    addresses = Addresses(signed_in=2)
    world = await start(addresses=addresses)
    async with signed_in(world), streaming(world), connect(world.ws) as third:
        with pytest.raises(ConnectionClosed):
            await Client(third).subscribe("call.*.*")
        assert third.close_code == 4029
        async with httpx.AsyncClient(base_url=world.url) as http:
            told = await http.get(PATH, headers=KEY)
        assert (told.status_code, "one address" in told.json()["detail"]) == (429, True)
    await until(lambda: not addresses.counts[True])
    assert len(world.live._hub.usage) == 0


async def test_sockets_behind_a_proxy_count_for_whom_it_tells(start: Start) -> None:
    world = await start(addresses=Addresses(1))
    one, other = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    async with (
        connect(world.ws, additional_headers=one) as first,
        connect(world.ws, additional_headers=other) as second,
        connect(world.ws, additional_headers=one) as third,
    ):
        assert (await ended(first))[0] == 1013
        assert await Client(second).ask(action="ping")
        assert await Client(third).ask(action="ping")


async def test_what_waits_for_all_of_an_app_is_shared_evenly(start: Start) -> None:
    """Ten streams that nobody reads get a tenth of it each, and are cut off."""
    share = 200_000
    world = await start(LiveLimits(buffered_bytes_per_app=10 * share, behind_seconds=0.05))
    usage = world.live._hub.usage
    most = 0
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
            stack.callback(writer.close)
            writer.write(f"GET {PATH} HTTP/1.1\r\nHost: a\r\n{_lines(KEY)}\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
        await until(lambda: world.live.connections()["sse"] == 10)
        streams = world.live._streams.open.members()
        for _ in range(4000):
            world.phones.say("CHANNEL_CREATE", "x" * 4000)
            most = max(most, sum(stream.buffered() for stream in streams))
            await asyncio.sleep(0)
            if not world.live.connections()["sse"]:
                break
        await until(lambda: not world.live.connections()["sse"])
    assert most < 10 * (share + 20_000)
    await until(lambda: len(usage) == 0)


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


async def test_what_an_app_has_open_ends_once_it_is_disabled(start: Start) -> None:
    """A stolen secret is of no more use then, and the token was good for an hour; others stay."""
    world = await start(LiveLimits(keep_alive_seconds=0.2))
    ask = {"account_id": ACCOUNT, "auth_token": TOKEN, "binding": "#"}
    other = {"account_id": OTHER, "auth_token": OTHER_TOKEN, "binding": "#"}
    world.tokens.issue(OTHER_TOKEN, OTHER, app_id="app2")
    async with (
        connect(world.ws) as kazoo,
        connect(world.ws) as stays,
        connect(sio_url(world)) as socket_io,
    ):
        for socket, data in ((kazoo, ask), (stays, other)):
            token = data["auth_token"]
            await socket.send(
                json.dumps({"action": "subscribe", "auth_token": token, "data": data})
            )
            assert '"success"' in str(await socket.recv())
        await socket_io.send("40")
        await socket_io.send(f'421["subscribe",{json.dumps(ask)}]')
        await until(lambda: len(world.live._hub.usage) == 2)
        await until(lambda: world.live._hub.usage._apps["app1"].subscriptions == 2)
        world.tokens.disabled.add("app1")
        assert await ended(kazoo) == (4001, "the app may not be used any more")
        assert (await ended(socket_io))[0] == 4001
        await stays.send('{"action":"ping"}')
        assert "pong" in str(await stays.recv())
    await until(lambda: not len(world.live._hub.usage))

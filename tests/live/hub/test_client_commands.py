"""What one connection asks for while what it is answered from takes its time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect

from trunkline.live import LiveLimits
from trunkline.live.hub.client_commands import ClientCommands
from trunkline.live.hub.command_queue import CommandQueue
from trunkline.live.hub.subscribe_request import BadRequest
from trunkline.store.ports.apps import TokenOwner

from ..conftest import Start, World, until
from ..fakes import ACCOUNT, TOKEN, FakeTokens
from .test_hub import Reader


class SlowTokens(FakeTokens):
    """Answers once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.issue(TOKEN, ACCOUNT)
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def owner(self, token_hash: str, now: int) -> TokenOwner | None:
        self.asked.set()
        await self.may.wait()
        return await super().owner(token_hash, now)


def slow(world: World) -> SlowTokens:
    tokens = SlowTokens()
    object.__setattr__(world.live._deps, "tokens", tokens)
    return tokens


WANTED = {"account_id": ACCOUNT, "binding": "call.*.*"}


async def test_who_leaves_while_the_token_is_looked_up_is_not_counted(world: World) -> None:
    tokens, hub = slow(world), world.live._hub
    asker = ClientCommands(
        world.live._deps, hub.usage, hub.app_checks, hub.client(Reader()), "connection"
    )
    asking = asyncio.create_task(asker.subscribe(TOKEN, WANTED))
    await tokens.asked.wait()
    asker.close()
    tokens.may.set()
    with pytest.raises(BadRequest):
        await asking

    assert len(hub.usage) == 0
    assert not hub._accounts


async def test_who_leaves_while_the_log_is_read_is_not_counted(world: World) -> None:
    hub, reading, may = world.live._hub, asyncio.Event(), asyncio.Event()
    bounds = world.events.bounds

    async def slowly(account_id: str) -> Any:
        reading.set()
        await may.wait()
        return await bounds(account_id)

    world.events.bounds = slowly  # type: ignore[method-assign]
    asker = ClientCommands(
        world.live._deps, hub.usage, hub.app_checks, hub.client(Reader()), "connection"
    )
    asking = asyncio.create_task(asker.subscribe(TOKEN, WANTED))
    await reading.wait()
    asker.close()
    may.set()
    await asking

    assert len(hub.usage) == 0
    assert not hub._accounts


async def test_requests_wait_for_those_before_them_and_only_so_many() -> None:
    done: list[int] = []
    may = asyncio.Event()
    command_queue = CommandQueue(3)

    async def act(number: int) -> None:
        await may.wait()
        done.append(number)

    taken = 0
    while not command_queue.is_full:
        command_queue.take(lambda number=taken: act(number))  # type: ignore[misc]
        taken += 1
    may.set()
    await until(lambda: len(done) == taken)

    assert done == [0, 1, 2]
    assert not command_queue.is_full


async def test_a_socket_is_refused_more_while_too_much_of_it_waits(start: Start) -> None:
    world = await start(LiveLimits(frames_per_second=3))
    tokens = slow(world)
    frame = {"action": "subscribe", "auth_token": TOKEN, "data": WANTED}
    async with connect(world.ws) as socket, asyncio.timeout(20):
        await socket.send(json.dumps({**frame, "request_id": 0}))
        await tokens.asked.wait()
        for number in range(1, 5):
            world.now[0] += 1_000_000
            heard = [json.dumps({**frame, "request_id": number}), "no frame"]
            for text in heard[: 1 if number < 4 else 2]:
                await socket.send(text)
            await (await socket.ping())
        refused = [json.loads(await socket.recv()) for _ in range(2)]
        tokens.may.set()
        answered = [json.loads(await socket.recv()) for _ in range(4)]

    errors = [each["data"]["errors"] for each in refused]
    assert errors == [["too many requests wait for their answers"]] * 2
    assert [each["request_id"] for each in answered] == [0, 1, 2, 3]
    assert {each["status"] for each in answered} == {"success"}

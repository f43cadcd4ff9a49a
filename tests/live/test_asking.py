"""What one connection asks for while what it is answered from takes its time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from trunkline.db.port import TokenOwner
from trunkline.live.asking import Asker, BadRequest
from trunkline.live.in_turn import InTurn

from .conftest import World, until
from .fakes import ACCOUNT, TOKEN, FakeTokens
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
    asker = Asker(world.live._deps, hub.usage, hub.client(Reader()), "connection")
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
    asker = Asker(world.live._deps, hub.usage, hub.client(Reader()), "connection")
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
    in_turn = InTurn(3)

    async def act(number: int) -> None:
        await may.wait()
        done.append(number)

    taken = 0
    while not in_turn.is_full:
        in_turn.take(lambda number=taken: act(number))  # type: ignore[misc]
        taken += 1
    may.set()
    await until(lambda: len(done) == taken)

    assert done == [0, 1, 2]
    assert not in_turn.is_full

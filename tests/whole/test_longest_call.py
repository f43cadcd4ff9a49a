"""``max_call_seconds`` ends a call whoever is left in it: the legs of an attended transfer, too."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from .conftest import SHORT
from .firm import DID, Firm
from .ports import Ports
from .server import Server
from .stage import Stage, together
from .waiting import until

LONGEST = 6


@pytest_asyncio.fixture(loop_scope="session")
async def firm(ports: Ports, tmp_path: Path) -> AsyncIterator[Firm]:
    settings = SHORT | {"max_call_seconds": LONGEST}
    server = Server(tmp_path / "data", ports.one(), ports.one(), ports.range(200), settings)
    stage = Stage(await server.start(), ports, tmp_path)
    try:
        yield await Firm.open(stage, recorded=False)
    finally:
        await stage.close()
        await server.stop()


async def test_a_call_ends_when_it_has_lasted_so_long(firm: Firm) -> None:
    """Two lines to carriers that a phone has joined, one that another phone has taken over, a call in that was handed out."""
    called = await firm.carrier.dial(DID, caller="0777000001").up()
    began, taken = time.monotonic(), await firm.alice.taken()
    first, second, third, fourth = await together(
        firm.alice.dial("0901000001").up(),
        firm.alice.dial("0901000002").up(),
        firm.bob.dial("0901000003").up(),
        firm.alice.dial("0901000004").up(),
    )
    assert await first.transfer(second) == [100, 200]
    assert await taken.transfer(fourth) == [100, 200]
    await firm.carol.dial("x", replaces=third).up()
    assert not called.over_at
    assert len(firm.carrier.live) == 5
    await until(lambda: not firm.carrier.live and not firm.carol.live, "the end of all", 20)
    assert LONGEST - 1 < time.monotonic() - began < LONGEST + 8

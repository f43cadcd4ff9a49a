"""Somebody sets the clock by two hours amid a call: the call is billed as long as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from .conftest import SHORT
from .firm import Firm, talked
from .listener import RawWebSocket
from .ports import Ports
from .server import Server
from .set_clock import SetClock
from .stage import Stage
from .waiting import until

HOURS = 7200


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clock(tmp_path_factory: pytest.TempPathFactory) -> SetClock:
    return SetClock(tmp_path_factory.mktemp("clock"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def acme(
    clock: SetClock, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Firm]:
    """The firm on a machine of that clock."""
    folder = tmp_path_factory.mktemp("set")
    settings = SHORT | {"engine_prefix": str(clock.engine(folder / "engine"))}
    server = Server(folder / "data", ports.one(), ports.one(), ports.range(200), settings)
    stage = Stage(server, ports, folder)
    try:
        await server.start()
        yield await Firm.open(stage)
    finally:
        await stage.close()
        await server.stop()


@pytest.mark.parametrize("jump", [HOURS, -HOURS])
async def test_a_call_is_as_long_as_it_was(firm: Firm, clock: SetClock, jump: int) -> None:
    placed = await firm.alice.dial("0901234567").up()
    answered = await firm.carrier.taken()
    await asyncio.sleep(1)
    clock.set(jump)
    await asyncio.sleep(1)
    await answered.hold()
    await asyncio.sleep(0.5)
    await answered.resume()
    clock.set(0)
    await asyncio.sleep(0.5)
    await placed.hang_up()
    told = await firm.told()
    in_order(told.shown[told.one["call_id"]])
    told.billed(told.one, talked(placed, answered))
    sound = await firm.sound(told.one)
    assert abs(sound.seconds - talked(placed, answered)) < 1


@pytest.mark.parametrize("jump", [HOURS, -HOURS])
async def test_also_with_python_dead(firm: Firm, clock: SetClock, jump: int) -> None:
    server = firm.stage.server
    placed = await firm.alice.dial("102").up()
    answered = await firm.bob.taken()
    await until(lambda: len(firm.announced()) == 1, "the call")
    (call_id,) = firm.announced()
    await server.kill9()
    await asyncio.sleep(1)
    clock.set(jump)
    await asyncio.sleep(1)
    await placed.hang_up()
    clock.set(0)
    await server.start()
    record = await firm.tenant.api.record(call_id)
    spoke = talked(placed, answered)
    assert abs(record["billing_seconds"] - spoke) <= 1.2, (record, spoke)
    in_order(await firm.v1(call_id))
    await hear_again(firm, call_id)


async def test_a_click_and_its_engine_that_dies(firm: Firm, clock: SetClock) -> None:
    server = firm.stage.server
    call_id = await firm.click("0901234567")
    answered = await firm.carrier.taken()
    await asyncio.sleep(1)
    clock.set(HOURS)
    await asyncio.sleep(1)
    killed = server.kill9_engine()
    clock.set(0)
    await until(lambda: server.engine_pid not in (None, killed), "another engine", 30)
    record = await firm.tenant.api.record(call_id)
    assert 1 <= record["billing_seconds"] <= 4, record
    assert record["duration_seconds"] <= 6, record
    assert answered.up_at


async def hear_again(firm: Firm, call_id: str) -> None:
    """The listener's server was killed: everything is told once more, up to the end of this call."""
    firm.listener = heard = await firm.stage.listen(RawWebSocket, firm.tenant, 0)
    await until(lambda: call_id in {e.call_id for e in heard.named("CALL_ENDED")}, "its end")
    firm.begin()


def in_order(shown: dict[str, Any]) -> None:
    """Its times stand in the order in which things happened, and are those of today."""
    times = [shown[name] for name in ("started_at", "answered_at", "ended_at")]
    assert times == sorted(times), times
    off = datetime.now().astimezone() - datetime.fromisoformat(times[0])
    assert abs(off.total_seconds()) < 120, times

"""A party that is gone without a word: its leg is hung up, and nobody's who is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from .conftest import SHORT
from .listener import Listener, RawWebSocket
from .phone import Phone
from .ports import Ports, loopback
from .scripted import ScriptedCarrier
from .server import Server
from .stage import Stage, Tenant, together
from .waiting import until

TIMEOUT = 6
SURELY = 3 * TIMEOUT
"""Seconds after which whoever was to be cut would have been."""
NUMBER = "84901237700"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watching(ports: Ports, tmp_path_factory: Any) -> AsyncIterator[Server]:
    """A server that hangs up legs after a few silent seconds."""
    settings = SHORT | {"media_timeout_seconds": TIMEOUT}
    data = Path(tmp_path_factory.mktemp("media")) / "data"
    server = Server(data, ports.one(), ports.one(), ports.range(200), settings)
    try:
        yield await server.start()
    finally:
        await server.stop()


class Line:
    """An agent who has called somebody outside by a click, and what is told of it."""

    def __init__(self, stage: Stage, tenant: Tenant, phone: Phone, listener: Listener) -> None:
        self.stage, self.tenant, self.phone, self.listener = stage, tenant, phone, listener
        self.call_id = ""

    async def cause(self, end: str) -> str:
        """Hangup-Cause of the agent's leg (``first``) or of the one outside (``second``)."""
        legs = [seen.data["call_id"] for seen in self.listener.named("CHANNEL_CREATE")]
        leg = legs[0 if end == "first" else 1]
        (seen,) = [
            one for one in self.listener.named("CHANNEL_DESTROY") if one.data["call_id"] == leg
        ]
        return str(seen.data["hangup_cause"])

    async def lives(self) -> bool:
        live = await self.stage.server.cli("calls", "list", "--account", self.tenant.name)
        return [one["state"] for one in live] in (["talking"], ["held"])

    async def shown(self) -> dict[str, Any]:
        return dict(await self.stage.server.cli("calls", "show", self.call_id))


@pytest_asyncio.fixture(loop_scope="session")
async def here(watching: Server, ports: Ports, tmp_path: Path) -> AsyncIterator[Stage]:
    mine = Stage(watching, ports, tmp_path)
    yield mine
    await mine.close()


async def line(stage: Stage, host: str) -> Line:
    tenant = await stage.tenant()
    await tenant.trunk(host)
    device = await tenant.user("agent")
    phone = await stage.phone(device, tone=500)
    listener = await stage.listen(RawWebSocket, tenant)
    made = Line(stage, tenant, phone, listener)
    made.call_id = await tenant.click(device, NUMBER)
    await phone.wait_for("CALL_ESTABLISHED")
    await until(lambda: len(listener.named("CHANNEL_BRIDGE")) >= 2, "that they talk")
    return made


async def with_far_phone(stage: Stage) -> tuple[Line, Phone]:
    far = await stage.far_phone(NUMBER, loopback(), tone=900)
    return await line(stage, f"{far.line.address}:{far.line.port}"), far


async def test_a_laptop_that_is_closed_is_hung_up_and_bills_to_its_last_sign(here: Stage) -> None:
    agent, far = await with_far_phone(here)
    await asyncio.sleep(3)  # they talk
    agent.phone.freeze()
    closed = time.monotonic()
    await far.wait_for("CALL_CLOSED", timeout=SURELY)
    agent.phone.thaw()
    assert time.monotonic() - closed >= TIMEOUT - 1
    record = await agent.tenant.api.record(agent.call_id)
    assert record["status_detail"] == "SUCCESS"
    assert record["billing_seconds"] <= record["duration_seconds"] - (TIMEOUT - 2)
    assert await agent.cause("first") == "MEDIA_TIMEOUT"
    assert await agent.cause("second") == "NORMAL_CLEARING"
    shown = await agent.shown()
    assert (shown["hangupCause"], shown["legs"][0]["cause"]) == ("MEDIA_TIMEOUT", "MEDIA_TIMEOUT")


async def test_where_both_sides_are_dead_the_call_ends(here: Stage) -> None:
    agent, far = await with_far_phone(here)
    agent.phone.freeze()
    far.freeze()
    ended = await agent.listener.wait_for("CALL_ENDED", timeout=SURELY)
    agent.phone.thaw()
    far.thaw()
    assert ended.data["hangup_cause"] == "MEDIA_TIMEOUT"
    assert int(ended.data["billing_seconds"]) <= int(ended.data["duration_seconds"]) - (TIMEOUT - 2)


async def test_neither_side_of_a_hold_is_cut_also_when_it_began_while_nobody_listened(
    here: Stage,
) -> None:
    agent, far = await with_far_phone(here)
    await agent.phone.command("hold")
    await agent.listener.wait_for("CHANNEL_HOLD")
    far.freeze()  # sends nothing, as some phones do that are on hold
    await asyncio.sleep(SURELY)
    assert await agent.lives()
    far.thaw()
    await agent.phone.command("resume")
    await agent.listener.wait_for("CHANNEL_UNHOLD")
    await here.server.kill9()
    await agent.phone.command("hold")
    far.freeze()
    await asyncio.sleep(1)
    await here.server.start()
    await asyncio.sleep(SURELY)
    assert await agent.lives()
    far.thaw()
    await together(agent.phone.hang_up(), far.wait_for("CALL_CLOSED"))
    assert (await agent.shown())["hangupCause"] == "NORMAL_CLEARING"


async def test_a_leg_that_fell_silent_while_python_was_dead(here: Stage) -> None:
    agent, far = await with_far_phone(here)
    await here.server.kill9()
    agent.phone.freeze()
    await asyncio.sleep(TIMEOUT + 2)
    assert far.ended == 0  # nobody looks
    await here.server.start()
    await far.wait_for("CALL_CLOSED", timeout=SURELY)
    agent.phone.thaw()

    async def recorded() -> dict[str, Any]:
        shown = await agent.shown()
        return shown if shown["state"] == "ended" else {}

    assert (await until(recorded, "the record"))["hangupCause"] == "MEDIA_TIMEOUT"


async def test_who_sends_nothing_but_rtcp_is_there_until_that_ends(
    here: Stage, ports: Ports
) -> None:
    carrier = await ScriptedCarrier(ports).ready()
    try:
        agent = await line(here, carrier.host)
        await carrier.report(SURELY)
        assert await agent.lives()
        await asyncio.wait_for(carrier.over.wait(), SURELY)
    finally:
        carrier.close()
    await agent.listener.wait_for("CALL_ENDED")
    assert await agent.cause("second") == "MEDIA_TIMEOUT"

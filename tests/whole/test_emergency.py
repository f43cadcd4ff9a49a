"""A call for help goes out, whatever else is refused."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest_asyncio

from .conftest import SHORT
from .listener import RawWebSocket
from .party import Party
from .ports import Ports
from .server import Server
from .stage import Device, Stage, Tenant, together
from .waiting import until


class Town(msgspec.Struct):
    """An account in Vietnam that may dial nothing, with two carriers, the first of which is away."""

    stage: Stage
    tenant: Tenant
    alice: Party
    bob: Party
    first: Party
    second: Party
    devices: list[Device]

    async def helped(self, number: str, by: Party) -> None:
        """They dial for help, and talk with whoever is there."""
        call = await by.dial(number).up(40)
        there = await self.second.taken(number)
        await call.voice.hears(self.second.tone)
        await there.voice.hears(by.tone)
        await call.hang_up()
        await there.over()

    async def refused(self, number: str) -> int:
        call = self.alice.dial(number)
        await until(lambda: call.code, "an answer", 20)
        return call.code


@pytest_asyncio.fixture(loop_scope="session")
async def town(ports: Ports, tmp_path: Path) -> AsyncIterator[Town]:
    rtp, patient = ports.range(600), SHORT | {"drain_seconds": 90}
    server = Server(tmp_path / "data", ports.one(), ports.one(), rtp, patient)
    stage = Stage(await server.start(), ports, tmp_path)
    tenant = await stage.tenant("--country", "VN", "--deny", "1,0,8", "--no-record")
    devices = await tenant.people(alice=("--extension", "101"), bob=("--extension", "102"))
    carriers = [await stage.far_party("carrier", tone=tone) for tone in (1200, 1400)]
    for nth, carrier in enumerate(carriers):
        host = f"{carrier.address}:{carrier.port}"
        await tenant.trunk(host, "--priority", str(nth), name=f"carrier{nth}")
    alice, bob = await together(*(stage.party(one, tone=440) for one in devices))
    listener = await stage.listen(RawWebSocket, tenant)
    await carriers[0].close()
    await until(lambda: list(listener.named("TRUNK_DOWN")), "TRUNK_DOWN", 20)
    yield Town(stage, tenant, alice, bob, *carriers, devices)
    await stage.close()
    await server.stop()


async def test_help_comes_whatever_else_is_refused(town: Town) -> None:
    server, listener = town.stage.server, await town.stage.listen(RawWebSocket, town.tenant)
    await town.helped("113", by=town.alice)
    await town.helped("112", by=town.alice)
    # No place, and no route: emergency numbers need none.
    await server.cli("account", "set", town.tenant.name, "--max-calls", "0", "--max-rate", "0")
    await server.cli("device", "set", town.alice.user, "--max-calls", "0", "--max-rate", "0")
    whose = ("--account", town.tenant.name)
    await server.cli("trunk", "set", "carrier1", *whose, "--max-calls", "0")
    await server.cli("route", "create", *whose, "--trunk", "carrier0", "--prefix", "99")
    assert await town.refused("0901000001") == 403
    await town.helped("114", by=town.alice)
    # A listed one, at once.
    assert await town.refused("1022") == 403
    await server.cli("account", "set", town.tenant.name, "--emergency-numbers", "1022")
    await town.helped("1022", by=town.bob)
    # By a click, too.
    await town.tenant.click(town.devices[0], "115")
    await town.second.taken("115")
    await town.alice.live[0].hang_up()
    refused = {(e.data["reason"], e.data["refused_number"]) for e in listener.named("CALL_REFUSED")}
    assert refused == {("NOT_ALLOWED", "0901000001"), ("NOT_ALLOWED", "1022")}
    await until(lambda: len(listener.named("CALL_ENDED")) == 7, "the end of each", 20)
    ended = {e.data["callee"]["number"]: e.data for e in listener.named("CALL_ENDED")}
    assert {ended[n]["status_detail"] for n in ("112", "113", "114", "115")} == {"SUCCESS"}
    # While the server is being stopped, and with all of its Python dead.
    talk = await town.alice.dial("102").up()
    assert server.program is not None
    server.program.send(signal.SIGTERM)

    async def drains() -> bool:
        return not await server.healthy()

    await until(drains, "the stop", 10)
    assert await town.refused("0901000003") == 503
    await town.helped("113", by=town.bob)
    await server.kill9()
    await town.helped("113", by=town.bob)
    assert await town.refused("0901000002") == 503
    await talk.hang_up()


async def test_without_a_trunk_it_is_refused(module_stage: Stage) -> None:
    tenant = await module_stage.tenant("--no-record")
    device = await tenant.user("alice")
    alice, listener = await together(
        module_stage.party(device), module_stage.listen(RawWebSocket, tenant)
    )
    call = alice.dial("112")
    await until(lambda: call.code, "an answer", 20)
    assert call.code >= 500
    told = await listener.wait_for("CALL_REFUSED")
    assert (told.data["reason"], told.data["refused_number"]) == ("NO_TRUNK", "112")

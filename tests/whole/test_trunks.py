"""Trunks: whether the carrier is there, and lets us register, is told as it changes."""

from __future__ import annotations

import time
from typing import Any

from .listener import Listener, RawWebSocket, Seen
from .ports import loopback
from .server import Server
from .stage import Stage, Tenant
from .waiting import until

SOON = 2 + 3 + 5
"""Seconds: the qualify interval of these tests, the time that an answer may take, and load."""


async def told(listener: Listener, name: str, times: int, timeout: float = 30) -> Seen:
    """Wait until a trunk's event has come that often; gives the last one."""
    await until(lambda: len(listener.named(name)) >= times, f"{name} #{times}", timeout)
    return listener.named(name)[-1]


def up_and_why(seen: Seen) -> tuple[str, bool, str | None, str | None]:
    """(the trunk's name, is it up, the reason, and the same in the full state)."""
    state = seen.data["state"]
    return seen.data["trunk"], state["up"], seen.data.get("reason"), state["reason"]


async def shown(stage: Stage, tenant: Tenant) -> dict[str, Any]:
    """What the command line shows of the account's trunks: name -> up."""
    lines = await stage.server.cli("trunk", "list", "--account", tenant.name)
    return {line["name"]: line["up"] for line in lines}


async def test_a_carrier_that_goes_and_comes_back(stage: Stage) -> None:
    tenant, carrier = await stage.tenant(), await stage.carrier()
    listener = await stage.listen(RawWebSocket, tenant)
    trunk = await tenant.trunk(carrier.host, name="line.1")
    up = await told(listener, "TRUNK_UP", 1)
    assert up_and_why(up) == ("line.1", True, None, None)
    assert (up.data["trunk_id"], up.data["event_category"]) == (trunk["trunkId"], "trunk_event")
    assert await shown(stage, tenant) == {"line.1": True}
    gone = time.monotonic()
    await carrier.stop()
    down = await told(listener, "TRUNK_DOWN", 1)
    assert time.monotonic() - gone <= SOON
    assert up_and_why(down) == ("line.1", False, "UNREACHABLE", "UNREACHABLE")
    assert await shown(stage, tenant) == {"line.1": False}
    await stage.carrier(carrier.address, carrier.port)
    await told(listener, "TRUNK_UP", 2)
    assert len(listener.events.all) == 3


async def test_a_carrier_that_was_never_there_is_down_and_takes_calls_once_it_is(
    stage: Stage,
) -> None:
    tenant, address, port = await stage.tenant(), loopback(), stage.ports.one()
    device = await tenant.user("early")
    listener = await stage.listen(RawWebSocket, tenant)
    await tenant.trunk(f"{address}:{port}")
    assert up_and_why(await told(listener, "TRUNK_DOWN", 1))[2] == "UNREACHABLE"
    phone, carrier = await stage.phone(device), await stage.carrier(address, port)
    call_id = await tenant.click(device, "84909990903")  # also while OPTIONS has no answer yet
    await carrier.invited("84909990903")
    await phone.wait_for("CALL_CLOSED")
    assert (await tenant.api.record(call_id))["status_detail"] == "SUCCESS"


async def test_a_registrar_that_rejects_and_one_that_accepts(stage: Stage) -> None:
    tenant = await stage.tenant()
    carriers = [await stage.carrier(user="line7", password="right-7") for _ in range(2)]
    listener = await stage.listen(RawWebSocket, tenant)
    for name, password, carrier in zip(
        ("wrong", "right"), ("wrong-7", "right-7"), carriers, strict=True
    ):
        login = ("--auth-user", "line7", "--auth-password", password, "--register")
        await tenant.trunk(carrier.host, *login, name=name)
    up, down = await told(listener, "TRUNK_UP", 1), await told(listener, "TRUNK_DOWN", 1)
    rejected = "REGISTRATION_REJECTED"
    assert up_and_why(up) == ("right", True, None, None)
    assert up_and_why(down) == ("wrong", False, rejected, rejected)
    assert await shown(stage, tenant) == {"wrong": False, "right": True}


async def test_no_change_is_missed_and_none_told_twice_while_nobody_listens(
    own_stage: Stage, own_server: Server
) -> None:
    tenant, stays, goes = (
        await own_stage.tenant(),
        await own_stage.carrier(),
        await own_stage.carrier(),
    )
    await tenant.trunk(stays.host, name="stays")
    await tenant.trunk(goes.host, name="goes")
    listener = await own_stage.listen(RawWebSocket, tenant, 0)
    await told(listener, "TRUNK_UP", 2)
    await own_server.kill9()  # Asterisk lives on, and sees the carrier go
    await goes.stop()
    await own_server.start()
    listener = await own_stage.listen(RawWebSocket, tenant, 0)
    assert up_and_why(await told(listener, "TRUNK_DOWN", 1))[0] == "goes"
    own_server.kill9_engine()  # a new one has to ask everybody anew
    await own_stage.carrier(goes.address, goes.port)
    again = await told(listener, "TRUNK_UP", 3)
    assert again.data["trunk"] == "goes"
    assert len(listener.named("TRUNK_DOWN")) == 1

"""Display names reach events, history and the called phone as people wrote them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytest_asyncio

from .listener import RawWebSocket
from .ports import loopback
from .sip import Caller
from .stage import Stage
from .waiting import until

DID = "842873002077"
NAMES = {
    "quotes": 'O\'Neil "Bo"',
    "backslashes": "a\\b \\\\ c\\",
    "both": '\\"x\\\\"',
    "neither": "Nguyễn, Đức <b>; 🙂",
    "none": "",
}


def quoted(name: str) -> str:
    """As RFC 3261 (25.1) writes it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '" ' if name else ""


def shown(invite: str) -> str:
    """The name that a phone shows for an INVITE."""
    written = re.search(r'^From: *(?:"((?:[^"\\]|\\.)*)")? *<', invite, re.M | re.I)
    assert written, invite
    return re.sub(r"\\(.)", r"\1", written[1] or "")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_stage: Stage) -> Any:
    """(tenant, the called phone, the carrier's address)."""
    stage, address = module_stage, loopback()
    tenant = await stage.tenant()
    device = await tenant.user("rosa", "--extension", "301")
    await tenant.trunk(f"{address}:5060")
    await tenant.number(DID, "rosa")
    return tenant, device, address


def phone_of(device: Any, stage: Stage, port: int = 0) -> Caller:
    return Caller(
        address=loopback(),
        port=port,
        server=stage.server.sip,
        user=device.sip_user,
        password=device.password,
    )


@pytest.mark.parametrize("kind", NAMES)
async def test_a_carriers_name(kind: str, house: Any, module_stage: Stage) -> None:
    (tenant, device, address), name = house, NAMES[kind]
    listener = await module_stage.listen(RawWebSocket, tenant)
    phone = phone_of(device, module_stage, module_stage.ports.one())
    carrier = Caller(
        address=address, server=module_stage.server.sip, user="84901234567", display=quoted(name)
    )
    async with phone.registered():
        assert (await carrier.invite(DID)).code == 486

    created = [
        await listener.wait_for("CHANNEL_CREATE", call_direction=way)
        for way in ("inbound", "outbound")
    ]
    ended = await listener.wait_for("CALL_ENDED")
    assert [seen.data.get("caller_id_name", "") for seen in created] == [name, name]
    assert await stored_name(module_stage, ended.call_id) == name
    assert [shown(invite) for invite in phone.invited] == [name]


@pytest.mark.parametrize("kind", NAMES)
async def test_a_users_name(kind: str, house: Any, module_stage: Stage) -> None:
    (tenant, device, _), name = house, NAMES[kind].replace(";", ",")
    number = str(310 + list(NAMES).index(kind))
    own = await tenant.user(f"own-{kind}", "--extension", number, "--name", name)
    phone = phone_of(device, module_stage, module_stage.ports.one())
    caller = phone_of(own, module_stage)
    async with phone.registered():
        assert (await caller.invite("301")).code == 486
        assert [shown(invite) for invite in phone.invited] == [name]
        await tenant.click(device, number)
        clicked = await until(lambda: phone.invited[1:], "the click's INVITE")
    assert [shown(invite) for invite in clicked] == [name]


async def stored_name(stage: Stage, call_id: str) -> str:
    whole = await stage.server.cli("calls", "show", call_id)
    return str(whole["callerName"])

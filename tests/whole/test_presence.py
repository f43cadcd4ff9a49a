"""Phones: how they register, and how soon a lost one is known to be lost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .listener import SocketIo
from .ports import loopback
from .sip import Caller
from .stage import Device, Stage, together

SOON = 10
"""Seconds: the contract's time in which a lost device is DEVICE_OFFLINE."""
NUMBER = "84909990903"


@pytest.mark.parametrize("how", ["falls silent", "unregisters"])
async def test_a_lost_phone_is_offline_within_ten_seconds(how: str, stage: Stage) -> None:
    tenant = await stage.tenant()
    await tenant.trunk(f"{loopback()}:5060")
    device = await tenant.user("walker")
    listener = await stage.listen(SocketIo, tenant)
    phone = await stage.phone(device)
    await listener.wait_for("DEVICE_ONLINE")
    lost = time.monotonic()
    if how == "falls silent":
        phone.freeze()
    else:
        await phone.stop()
    await listener.wait_for("DEVICE_OFFLINE", timeout=SOON + 5)
    took = time.monotonic() - lost
    answer = await tenant.api.click_to_call(NUMBER, device.sip_user, device.password)
    assert (answer.status_code, answer.json()["message"]) == (400, "DEVICE_OFFLINE")
    assert took <= SOON
    assert await tenant.api.history() == []


async def test_a_phone_that_wakes_up_is_online_again(stage: Stage) -> None:
    carrier, tenant = await stage.carrier(), await stage.tenant()
    device = await tenant.user("sleeper")
    await tenant.trunk(carrier.host)
    listener = await stage.listen(SocketIo, tenant)
    phone = await stage.phone(device)
    phone.freeze()
    await listener.wait_for("DEVICE_OFFLINE")
    seen = len(listener.named("DEVICE_ONLINE"))
    phone.thaw()
    await listener.events.wait(
        lambda _: len(listener.named("DEVICE_ONLINE")) > seen, "another DEVICE_ONLINE", 15
    )
    call_id = await tenant.click(device, NUMBER)
    assert (await tenant.api.record(call_id))["status_detail"] == "SUCCESS"


async def test_a_phone_can_be_called_as_soon_as_it_has_registered(stage: Stage) -> None:
    tenant = await stage.tenant()
    device = await tenant.user("early", "--extension", "502")
    phone = await stage.phone(device)
    answer = await tenant.api.click_to_call("502", device.sip_user, device.password)
    assert answer.status_code == 200, answer.text
    await phone.wait_for("CALL_ESTABLISHED")


async def test_no_phone_that_saw_its_200_is_offline(stage: Stage) -> None:
    """However late the engine's own signals come: all register and click at the same time."""
    tenant = await stage.tenant()
    await tenant.user("desk", "--extension", "503")
    devices = [await tenant.device("desk") for _ in range(10)]

    async def register_and_click(device: Device) -> str:
        phone = Caller(
            address=loopback(),
            server=stage.server.sip,
            user=device.sip_user,
            password=device.password,
        )
        async with phone.registered():
            return await tenant.click(device, "503")

    assert len(set(await together(*map(register_and_click, devices)))) == 10


async def test_a_phone_that_never_registered_is_offline_at_once(stage: Stage) -> None:
    tenant = await stage.tenant()
    device = await tenant.user("nobody", "--extension", "504")
    asked = time.monotonic()
    answer = await tenant.api.click_to_call("504", device.sip_user, device.password)
    assert (answer.status_code, answer.json()["message"]) == (400, "DEVICE_OFFLINE")
    assert time.monotonic() - asked < 3


def _over(stage: Stage, transport: str) -> dict[str, Any]:
    if transport == "tls":
        return {"server": stage.server.sip_tls, "ca_file": stage.server.ca_file}
    return {}


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_phone_talks_over(transport: Any, stage: Stage) -> None:
    tenant = await stage.tenant()
    one, other = await together(tenant.user("one"), tenant.user("other", "--extension", "501"))
    phone, peer = await together(
        stage.phone(one, transport=transport, tone=500, **_over(stage, transport)),
        stage.phone(other, tone=900),
    )
    call_id = await tenant.click(one, "501")
    await together(phone.wait_for("CALL_ESTABLISHED"), peer.wait_for("CALL_ESTABLISHED"))
    await peer.wait_for("CALL_RTPESTAB")
    await peer.hang_up()
    await phone.wait_for("CALL_CLOSED")
    record = await tenant.api.record(call_id)
    assert (record["class"], record["status_detail"]) == ("one_one", "SUCCESS")

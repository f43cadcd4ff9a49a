"""Where phones are, whoever was restarted meanwhile: the engine knows those alone that registered."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import httpx
import msgspec
import pytest

from trunkline.engine.config import registered
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.secrets import open_key
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.users import create_user

from .listener import SocketIo
from .phone import Phone
from .ports import loopback
from .server import Server
from .sip import Caller
from .stage import Device, Stage
from .test_presence import SOON
from .waiting import until

both = pytest.mark.parametrize("own_server", ["sqlite", "postgresql"], indirect=True)
COMMITTED = 1.5
"""Seconds: Asterisk commits its own database once a second."""


async def online(server: Server) -> set[str]:
    """The devices that are online, as anybody is told."""
    return {one["sipUser"] for one in await server.cli("device", "list") if one["online"]}


async def becomes(server: Server, *wanted: Device) -> None:
    """Wait until just these are online."""
    names = {device.sip_user for device in wanted}

    async def so() -> bool:
        return await online(server) == names

    await until(so, f"online: {names}", 20, every=0.2)


async def known_to_the_engine(server: Server) -> set[str]:
    """The endpoints that it has loaded."""
    ari: dict[str, Any] = msgspec.json.decode((server.data / "engine" / "ari.json").read_bytes())
    login = ("trunkline", ari["password"])
    async with httpx.AsyncClient(auth=login) as client:
        found = await client.get(f"http://127.0.0.1:{ari['port']}/ari/endpoints")
    names = {one["resource"] for one in found.json()} if found.status_code == 200 else set()
    return names - {"anonymous"}  # whoever is unknown


async def is_lost(phone: Phone, listener: SocketIo) -> None:
    """Freeze it, and see that this is told in time."""
    seen = len(listener.named("DEVICE_OFFLINE"))
    phone.freeze()
    lost = time.monotonic()
    await listener.events.wait(
        lambda _: len(listener.named("DEVICE_OFFLINE")) > seen, "another DEVICE_OFFLINE", 20
    )
    assert time.monotonic() - lost <= SOON


def caller(stage: Stage, device: Device) -> Caller:
    """The device, without a phone that goes on."""
    return Caller(
        address=loopback(),
        server=stage.server.sip,
        user=device.sip_user,
        password=device.password,
    )


@both
async def test_a_phones_state_outlasts_python_and_the_engine(own_stage: Stage) -> None:
    stage, server = own_stage, own_stage.server
    tenant = await stage.tenant()
    desk, hall, never = await tenant.people(
        desk=("--extension", "601"), hall=("--extension", "602"), never=("--extension", "603")
    )
    listener = await stage.listen(SocketIo, tenant)
    at_desk = await stage.phone(desk)
    await listener.wait_for("DEVICE_ONLINE", 1)
    in_hall = await stage.phone(hall)
    await becomes(server, desk, hall)
    assert never.sip_user not in await known_to_the_engine(server)

    await server.kill9()
    await in_hall.stop()
    await server.start()
    await becomes(server, desk)
    in_hall = await stage.phone(hall)
    await becomes(server, desk, hall)

    await asyncio.sleep(COMMITTED)
    server.kill9_engine()
    await until(server.healthy, "the engine's next start", 60, every=0.2)
    await becomes(server, desk, hall)
    assert await known_to_the_engine(server) == {desk.sip_user, hall.sip_user}
    await tenant.click(hall, "601")
    await at_desk.wait_for("CALL_ESTABLISHED")

    # What went while nobody looked, and is unknown to the engine that is started next.
    await server.kill9()
    await in_hall.stop()
    await asyncio.sleep(COMMITTED)
    server.kill9_engine()
    await server.start()
    await becomes(server, desk)
    listener = await stage.listen(SocketIo, tenant)
    await is_lost(at_desk, listener)


@both
async def test_a_changed_directory_loses_no_phone(own_stage: Stage) -> None:
    stage, server = own_stage, own_stage.server
    tenant = await stage.tenant()
    listener = await stage.listen(SocketIo, tenant)
    first = await tenant.user("first", "--extension", "601")
    phone = await stage.phone(first)
    await listener.wait_for("DEVICE_ONLINE")

    # Its own registering is too long ago to be found by a search that is not told of everybody.
    await asyncio.sleep(registered.SECONDS + 1)
    second = await tenant.user("second", "--extension", "602")
    async with caller(stage, second).registered():
        await becomes(server, first, second)
        await tenant.trunk(f"{loopback()}:5060")  # the engine reloads
        await asyncio.sleep(2)
        assert await online(server) == {first.sip_user, second.sip_user}
    await becomes(server, first)

    await server.cli("device", "disable", second.sip_user)
    assert (await caller(stage, second).register()).code == 401
    assert (await caller(stage, second).invite("601")).code == 401
    answer = await tenant.api.click_to_call("601", second.sip_user, second.password)
    assert answer.status_code == 401
    await server.cli("device", "enable", second.sip_user)
    async with caller(stage, second).registered():
        await becomes(server, first, second)
        assert (await caller(stage, second).invite("601")).code == 200
        await phone.wait_for("CALL_ESTABLISHED")
    await is_lost(phone, listener)


async def test_no_phone_is_missed_when_many_register_at_once(own_stage: Stage) -> None:
    """More than the engine lists at a time."""
    stage, server = own_stage, own_stage.server
    await server.stop()
    many = [Device(f"phone{number}", "p" * 12, "") for number in range(registered.AT_MOST * 3)]
    key = open_key(server.data / "secret.key")
    with ManagedDirectory(server.data / "trunkline.db", key).transaction() as directory:
        account = create_account(directory, "many")
        user = create_user(directory, account, "desk")
        for one in many:
            create_device(
                directory, account, user, one.sip_user, realm="trunkline", password=one.password
            )
    await server.start()
    async with AsyncExitStack() as phones:
        await asyncio.gather(
            *(phones.enter_async_context(caller(stage, one).registered()) for one in many)
        )
        await becomes(server, *many)

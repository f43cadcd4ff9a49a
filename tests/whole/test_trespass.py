"""Nobody unknown makes a call: each try is refused, rings nothing and leaves no trace of a call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from .listener import RawWebSocket
from .ports import loopback
from .sip import Caller
from .stage import Stage

OUTSIDE = "84908880200"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(module_stage: Stage) -> Any:
    """(tenant, device, carrier, trunk, listener): what a trespasser would like to use."""
    stage = module_stage
    carrier, tenant = await stage.carrier(), await stage.tenant()
    trunk = await tenant.trunk(carrier.host)
    device = await tenant.user("victim", "--extension", "401")
    await stage.phone(device)
    return tenant, device, carrier, trunk, await stage.listen(RawWebSocket, tenant)


def trespassers(device: Any, trunk: Any, server: str) -> dict[str, Caller]:
    """Who tries: none of them has a right to."""
    strange: dict[str, Any] = {"address": loopback(), "server": server}
    return {
        "nobody": Caller(user="nobody", **strange),
        "nobody with a password": Caller(user="nobody", password="secret", **strange),
        "a device without a password": Caller(user=device.sip_user, **strange),
        "a device with a wrong password": Caller(user=device.sip_user, password="wrong", **strange),
        "a trunk's name": Caller(user=f"trunk-{trunk['trunkId']}", **strange),
        "a trunk's name, with a password": Caller(
            user=f"trunk-{trunk['trunkId']}", password="secret", **strange
        ),
        "anonymous": Caller(user="anonymous", **strange),
    }


WHO = list(trespassers(type("", (), {"sip_user": ""}), {"trunkId": ""}, ""))


@pytest.mark.parametrize("number", [OUTSIDE, "401"])
@pytest.mark.parametrize("who", WHO)
async def test_they_are_refused(who: str, number: str, target: Any, module_stage: Stage) -> None:
    _, device, _, trunk, _ = target
    caller = trespassers(device, trunk, module_stage.server.sip)[who]
    answer = await caller.invite(number)
    assert 400 <= answer.code < 500, answer


async def test_nothing_came_of_it(target: Any) -> None:
    tenant, _, carrier, _, listener = target
    await asyncio.sleep(1)  # a call that must not be would show by now
    channels = [seen.name for seen in listener.events.all if "CHANNEL" in seen.name]
    assert (carrier.invites, channels, await tenant.api.history()) == ([], [], [])


async def test_the_carrier_itself_cannot_dial_out_through_us(
    target: Any, module_stage: Stage
) -> None:
    carrier = target[2]
    caller = Caller(address=carrier.address, server=module_stage.server.sip, user="84900000000")
    assert 400 <= (await caller.invite(OUTSIDE)).code < 500
    assert carrier.invites == []


async def test_a_wrong_password_does_not_register(target: Any, module_stage: Stage) -> None:
    device = target[1]
    answers = [
        await Caller(
            address=loopback(), server=module_stage.server.sip, user=user, password="wrong"
        ).register()
        for user in (device.sip_user, "nobody")
    ]
    assert [answer.code for answer in answers] == [401, 401]

"""A redirect (302): a phone's is a forward under its user's rights, a carrier's is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import pytest_asyncio

from .carrier import Answering
from .listener import RawWebSocket
from .ports import loopback
from .sip import Caller, Carrier
from .stage import Stage, Tenant

DID = "842873002200"


class House(msgspec.Struct, frozen=True):
    """An account in which bob's phone forwards; alice calls, and carol may be called."""

    stage: Stage
    tenant: Tenant
    carrier: Answering
    alice: Caller
    bob: Caller
    carol: Any

    async def ended(self, caller: Caller, number: str, **forward: Any) -> tuple[Any, Any, Any]:
        """Call while bob forwards so; gives the answer, the record and the events of the legs."""
        listener = await self.stage.listen(RawWebSocket, self.tenant)
        async with msgspec.structs.replace(self.bob, **forward).registered():
            answer = await caller.invite(number)
        ended = await listener.wait_for("CALL_ENDED")
        record = await self.tenant.api.record(ended.data["call_id"])
        await listener.close()  # a dozen of them, and the phones here would be too busy to answer
        return answer, record, listener


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_stage: Stage) -> House:
    stage = module_stage
    carrier = await stage.carrier()
    tenant = await stage.tenant("--allow", "09", "--caller-id", "02871")
    await tenant.trunk(carrier.host)
    callers = []
    for name, extension in (("alice", "101"), ("bob", "102"), ("carol", "103")):
        options = ("--caller-id", "02872") if name == "bob" else ()
        device = await tenant.user(name, "--extension", extension, *options)
        callers.append(
            Caller(
                address=loopback(),
                port=stage.ports.one(),
                server=stage.server.sip,
                user=device.sip_user,
                password=device.password,
            )
        )
    await tenant.number(DID, "bob")
    return House(stage, tenant, carrier, *callers)


def legs(listener: Any) -> list[str]:
    return [seen.data["call_direction"] for seen in listener.named("CHANNEL_CREATE")]


async def test_a_forward_to_an_outside_number_is_dialled_as_its_user(house: House) -> None:
    contact = f"<sip:0901230903@{house.stage.server.sip}>"
    answer, record, listener = await house.ended(house.alice, "102", redirect=contact)
    assert answer.code == 200
    assert (record["status_detail"], record["class"]) == ("SUCCESS", "one_one")
    assert record["callee"]["type"] == "realnumber"
    assert house.carrier.invites[-1].number == "0901230903"
    assert house.carrier.invites[-1].caller_id == "02872"
    assert legs(listener) == ["inbound", "outbound", "outbound"]


async def test_an_inbound_call_is_forwarded_and_stays_inbound(house: House) -> None:
    caller = Caller(
        address=house.carrier.address, server=house.stage.server.sip, user="84907654321"
    )
    contact = "<sip:0901230903;user=phone@elsewhere.example.com>"
    answer, record, _ = await house.ended(caller, DID, redirect=contact)
    assert answer.code == 200
    assert (record["status_detail"], record["direction"]) == ("SUCCESS", "to_ab")
    assert (record["did_number"], record["callee"]["type"]) == (DID, "realnumber")
    assert house.carrier.invites[-1].number == "0901230903"


async def test_a_forward_to_an_extension_goes_on_to_its_user(house: House) -> None:
    contact = f"<sip:103@{house.stage.server.sip}>"
    async with house.carol.registered():
        answer, _, listener = await house.ended(house.alice, "102", redirect=contact)
    assert answer.code == 486
    endpoints = [seen.data["presence_id"] for seen in listener.named("CHANNEL_CREATE")]
    assert [each.partition("@")[0] for each in endpoints] == [
        house.alice.user,
        house.bob.user,
        house.carol.user,
    ]


@pytest.mark.parametrize(
    "to",
    [
        "0801234599",  # not allowed to the account
        "*97",
        "PJSIP%2F{bob}%2Fsip:evil@{evil}",
        "PJSIP%2F{bob}%2Fsip%3A0901230903%40{evil}",
        "Local%2F101%40from-device%2Fn",
        "0901230903,9",
        "s",
        "102",  # to itself: it ends with the steps
    ],
)
async def test_a_forward_never_gets_past_the_policy(to: str, house: House) -> None:
    evil, port = loopback(), house.stage.ports.one()
    before = len(house.carrier.invites)
    user = to.format(bob=house.bob.user, evil=f"{evil}:{port}")
    async with Carrier().at(evil, port) as elsewhere:
        answer, record, listener = await house.ended(
            house.alice, "102", redirect=f"<sip:{user}@{evil}:{port}>"
        )
    assert answer.code == 480
    assert (record["status_detail"], record["callee"]["username"]) == ("UNSUCCESS", "bob")
    assert (elsewhere.invites, len(house.carrier.invites)) == ([], before)
    assert set(legs(listener)[1:]) == {"outbound"}
    assert len(legs(listener)) == (26 if to == "102" else 2)


async def test_a_carriers_redirect_is_not_followed(module_stage: Stage) -> None:
    address, port = loopback(), module_stage.ports.one()
    tenant = await module_stage.tenant()
    await tenant.trunk(f"{address}:{port}")
    device = await tenant.user("dora")
    caller = Caller(
        address=loopback(),
        server=module_stage.server.sip,
        user=device.sip_user,
        password=device.password,
    )
    listener = await module_stage.listen(RawWebSocket, tenant)
    async with Carrier(f"<sip:0901230903@{address}:{port}>").at(address, port) as carrier:
        answer = await caller.invite("0901230902")
    assert answer.code == 502
    assert len({invite.partition("Call-ID:")[2][:20] for invite in carrier.invites}) == 1
    ended = await listener.wait_for("CALL_ENDED")
    assert (ended.data["status_detail"], legs(listener)) == ("UNSUCCESS", ["inbound", "outbound"])
    gone = [seen.data for seen in listener.named("CHANNEL_DESTROY")]
    assert "sip:302" in [each.get("hangup_code") for each in gone]

"""The flow: from step to step, as the ways say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio

from work.test_prompts import wav

from .carrier import Answering
from .listener import RawWebSocket
from .ports import loopback
from .sip import Caller
from .stage import Stage, Tenant

DID = "842873002300"


class House(msgspec.Struct, frozen=True):
    """Alice calls; bob's phone is busy; carol has none."""

    stage: Stage
    tenant: Tenant
    carrier: Answering
    alice: Caller
    bob: Caller

    async def cli(self, *words: str) -> Any:
        return await self.stage.server.cli(*words, "--account", self.tenant.name)

    async def call(self, number: str, caller: Caller | None = None) -> tuple[Any, Any, Any]:
        """The answer, the record, and the events."""
        listener = await self.stage.listen(RawWebSocket, self.tenant)
        async with self.bob.registered():
            answer = await (caller or self.alice).invite(number)
        ended = await listener.wait_for("CALL_ENDED")
        return answer, await self.tenant.api.record(ended.data["call_id"]), listener


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_stage: Stage) -> House:
    stage = module_stage
    carrier = await stage.carrier()
    tenant = await stage.tenant("--deny", "0801")
    await tenant.trunk(carrier.host)
    callers = []
    for name, extension in (("alice", "101"), ("bob", "102"), ("carol", "103")):
        device = await tenant.user(name, "--extension", extension)
        callers.append(
            Caller(
                address=loopback(),
                port=stage.ports.one(),
                server=stage.server.sip,
                user=device.sip_user,
                password=device.password,
            )
        )
    return House(stage, tenant, carrier, *callers[:2])


async def test_an_announcement_is_heard_and_then_what_is_next(house: House, tmp_path: Path) -> None:
    file = wav(tmp_path / "a.wav", 16_000, 2, 1, 600)
    await house.cli("announcement", "create", "closed", "--file", str(file), "--extension", "700")
    device = await house.tenant.user("edith")
    phone = await house.stage.phone(device)
    await phone.command("dial", f"sip:700@{house.stage.server.sip}")
    await phone.wait_for("CALL_CLOSED", timeout=30)
    assert phone.heard.share(0, 600) > 0.9


async def test_busy_goes_on_to_an_outside_number(house: House) -> None:
    await house.cli("user", "set", "bob", "--busy", "outside:0901230903")
    answer, record, _ = await house.call("102")
    assert answer.code == 200
    assert (record["status_detail"], record["class"]) == ("SUCCESS", "one_one")
    assert house.carrier.invites[-1].number == "0901230903"
    await house.cli("user", "set", "bob", "--busy", "")
    answer, record, _ = await house.call("102")
    assert (answer.code, record["status_detail"]) == (486, "BUSY")


async def test_offline_goes_on_to_a_user_and_from_there(house: House) -> None:
    await house.cli("user", "set", "carol", "--offline", "user:bob")
    await house.cli("user", "set", "bob", "--busy", "hangup:number_changed")
    answer, _, listener = await house.call("103")
    assert answer.code == 410
    assert len(listener.named("CHANNEL_CREATE")) == 2
    await house.cli("user", "set", "bob", "--busy", "")


async def test_a_loop_ends(house: House) -> None:
    await house.cli("user", "set", "carol", "--offline", "user:carol")
    answer, _, _ = await house.call("103")
    assert answer.code == 480
    await house.cli("user", "set", "carol", "--offline", "")


async def test_the_policy_holds_for_every_step(house: House) -> None:
    await house.cli("extension", "create", "701", "--to", "outside:08012309")
    before = len(house.carrier.invites)
    answer, record, _ = await house.call("701")
    assert (answer.code, record["status_detail"]) == (403, "UNSUCCESS")
    assert len(house.carrier.invites) == before


async def test_a_number_leads_out_again(house: House) -> None:
    await house.cli("number", "create", DID, "--to", "outside:0901230903")
    caller = Caller(
        address=house.carrier.address, server=house.stage.server.sip, user="84907654321"
    )
    answer, record, _ = await house.call(DID, caller)
    assert (answer.code, record["status_detail"], record["direction"]) == (200, "SUCCESS", "to_ab")
    assert house.carrier.invites[-1].number == "0901230903"


async def test_the_longest_prefix_counts_and_digits_are_written_anew(house: House) -> None:
    other = await house.stage.carrier()
    await house.tenant.trunk(other.host, name="other")
    await house.cli("route", "create", "--trunk", "carrier")
    first = await house.cli(
        *("route", "create", "--trunk", "other"),
        *("--prefix", "00", "--strip", "2", "--prepend", "+"),
    )
    seen = len(house.carrier.invites)
    assert (await house.call("0084901230903"))[0].code == 200
    assert [invite.number for invite in other.invites] == ["+84901230903"]
    assert len(house.carrier.invites) == seen
    assert (await house.call("0901230903"))[0].code == 200
    assert house.carrier.invites[-1].number == "0901230903"
    click = await house.tenant.api.click_to_call("080123", house.alice.user, house.alice.password)
    assert click.json()["message"] == "DESTINATION_NOT_ALLOWED"
    await house.cli("route", "delete", first["routeId"])

"""A live call is transferred by the API: who talks with whom afterwards, and what is told of it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import httpx
import pytest
import pytest_asyncio

from .listener import RawWebSocket
from .phone import Phone
from .ports import loopback
from .server import CommandFailed
from .stage import Device, Stage, Tenant, together
from .waiting import until

DID, CUSTOMER = "842873003000", "84907654399"


class House:
    """anna and bella, a customer outside, and a key that may control calls."""

    def __init__(self, stage: Stage, tenant: Tenant) -> None:
        self.stage, self.tenant = stage, tenant
        self.devices: dict[str, Device] = {}
        self.phones: dict[str, Phone] = {}
        self.carrier = loopback()
        self.key = ""

    async def set_up(self) -> House:
        tenant = self.tenant
        await tenant.trunk(f"{self.carrier}:5060", "--match", self.carrier)
        for name, extension, tone in (("anna", "101", 500), ("bella", "102", 600)):
            device = self.devices[name] = await tenant.user(name, "--extension", extension)
            self.phones[name] = await self.stage.phone(device, tone=tone)
        await tenant.number(DID, "anna")
        made = await self.stage.server.cli(
            "key", "create", "control", "--account", tenant.name,
            "--scopes", "calls:write,calls:read",
        )  # fmt: skip
        self.key = made["key"]
        return self

    async def customer_talks_with_anna(self) -> tuple[Phone, str]:
        """Her phone, and the call's id."""
        known = {one["callId"] for one in await self.live()}
        far = await self.stage.far_phone(CUSTOMER, self.carrier, tone=900)
        await far.command("dial", f"sip:{DID}@{self.stage.server.sip}")
        await together(
            far.wait_for("CALL_ESTABLISHED"), self.phones["anna"].wait_for("CALL_ESTABLISHED")
        )

        async def talking() -> str:
            return next(
                (
                    one["callId"]
                    for one in await self.live()
                    if one["callId"] not in known and one["state"] == "talking"
                ),
                "",
            )

        return far, await until(talking, "that they talk")

    async def live(self) -> list[dict[str, Any]]:
        """The account's calls that live."""
        return list(await self.stage.server.cli("calls", "list", "--account", self.tenant.name))

    async def transfer(self, call_id: str, **body: Any) -> httpx.Response:
        """POST it."""
        async with httpx.AsyncClient(base_url=self.stage.server.url, timeout=20) as client:
            return await client.post(
                f"/v1/calls/{call_id}/transfer",
                json=body,
                headers={"authorization": f"Bearer {self.key}"},
            )


@pytest_asyncio.fixture(loop_scope="session")
async def house(stage: Stage) -> House:
    return await House(stage, await stage.tenant("--deny", "8490000")).set_up()


async def test_the_third_one_talks_with_the_customer_in_one_call(
    stage: Stage, house: House
) -> None:
    tenant, anna, bella = house.tenant, house.phones["anna"], house.phones["bella"]
    listener = await stage.listen(RawWebSocket, tenant)
    far, call_id = await house.customer_talks_with_anna()
    await asyncio.sleep(2)
    answer = await house.transfer(call_id, to="102")
    assert answer.status_code == 200, answer.text
    await together(anna.wait_for("CALL_CLOSED"), bella.wait_for("CALL_ESTABLISHED"))
    await asyncio.sleep(3)  # bella and the customer
    await far.hang_up()
    await listener.wait_for("CALL_ENDED")
    record = await tenant.api.record(call_id)
    assert len(await tenant.api.history()) == 1
    assert (record["status_detail"], record["direction"]) == ("SUCCESS", "to_ab")
    assert record["callee"]["username"] == "anna"
    assert 4 <= record["billing_seconds"] <= record["duration_seconds"]
    legs = [seen.data["call_id"] for seen in listener.named("CHANNEL_CREATE")]
    ends = [seen.data["call_id"] for seen in listener.named("CHANNEL_DESTROY")]
    assert (len(legs), sorted(ends)) == (3, sorted(legs))
    assert answer.json() == {"call_id": call_id, "leg": legs[1], "to": "102"}
    assert ends[0] == legs[1]  # anna's ends first
    await bella.wait_for("CALL_CLOSED")
    assert bella.heard.share(0, 900) > 0.9
    tones = far.heard.heard(0)  # anna's, and then bella's
    assert min(sum(abs(tone - of) < 8 for tone in tones) for of in (500, 600)) >= 4, tones
    over = await house.transfer(call_id, to="101")
    assert (over.status_code, over.json()["code"]) == (409, "call_over")


async def test_the_command_line_does_it_too_and_what_is_not_allowed_changes_nothing(
    stage: Stage, house: House
) -> None:
    far, call_id = await house.customer_talks_with_anna()
    refusals = [
        (await house.transfer(call_id, to="84900001"), 403, "destination_not_allowed"),
        (await house.transfer(call_id, to="102,1"), 400, "number_invalid"),
        (await house.transfer(call_id, to="102", leg="nobody's"), 409, "not_transferable"),
        (await house.transfer("no-such-call", to="102"), 404, "not_found"),
    ]
    assert [(got.status_code, got.json()["code"]) for got, *_ in refusals] == [
        (status, code) for _, status, code in refusals
    ]
    with pytest.raises(CommandFailed, match="may not dial 84900001"):
        await stage.server.cli("calls", "transfer", call_id, "--to", "84900001")
    with pytest.raises(
        CommandFailed, match="no call 'no-such-call' is live: see trunkline calls list"
    ):
        await stage.server.cli("calls", "transfer", "no-such-call", "--to", "102")
    assert [one["state"] for one in await house.live()] == ["talking"]
    done = await stage.server.cli("calls", "transfer", call_id, "--to", "102")
    assert (done["callId"], done["to"]) == (call_id, "102")
    await house.phones["bella"].wait_for("CALL_ESTABLISHED")
    assert "call.transferred" in stage.server.log
    assert "asked_by=" in stage.server.log
    await far.hang_up()
    assert (await house.tenant.api.record(call_id))["status_detail"] == "SUCCESS"


async def test_the_customer_of_an_outbound_call_is_handed_over_too(
    stage: Stage, house: House
) -> None:
    anna, bella, tenant = house.phones["anna"], house.phones["bella"], house.tenant
    far = await stage.far_phone(CUSTOMER, house.carrier, 5060, tone=900)
    call_id = await tenant.click(house.devices["anna"], CUSTOMER)
    await together(far.wait_for("CALL_ESTABLISHED"), anna.wait_for("CALL_ESTABLISHED"))

    async def transferred() -> bool:  # once they are joined
        return (await house.transfer(call_id, to="102")).status_code == 200

    await until(transferred, "the transfer", every=0.2)
    _, reached = await together(anna.wait_for("CALL_CLOSED"), bella.wait_for("CALL_ESTABLISHED"))
    assert reached["peeruri"].startswith(f"sip:{CUSTOMER}@")  # it is she whom bella's phone shows
    await asyncio.sleep(2)
    await bella.hang_up()
    await far.wait_for("CALL_CLOSED")
    record = await tenant.api.record(call_id)
    assert (record["status_detail"], record["direction"]) == ("SUCCESS", "from_ab")
    assert record["callee"] == {"type": "realnumber", "number": CUSTOMER}
    assert record["billing_seconds"] >= 2
    assert bella.heard.share(0, 900) > 0.9


async def test_another_accounts_call_is_not_there(stage: Stage, house: House) -> None:
    far, call_id = await house.customer_talks_with_anna()
    others = await House(stage, await stage.tenant()).set_up()
    answer = await others.transfer(call_id, to="102")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert [one["state"] for one in await house.live()] == ["talking"]
    await far.hang_up()


async def test_while_the_engine_does_not_answer_it_is_refused_and_the_call_goes_on(
    own_stage: Stage,
) -> None:
    house = await House(own_stage, await own_stage.tenant()).set_up()
    far, call_id = await house.customer_talks_with_anna()
    pid = own_stage.server.engine_pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = await house.transfer(call_id, to="102")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
    assert answer.headers["retry-after"]
    await until(own_stage.server.healthy, "the engine again", 60)
    (own_stage.server.data / "engine" / "ari.json").stat()  # the same engine: nobody restarted it
    assert own_stage.server.engine_pid == pid
    await far.hang_up()
    assert (await house.tenant.api.record(call_id))["status_detail"] == "SUCCESS"

"""What happened, and what the history says of it: the contract's table, each line on real parts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from .carrier import Answering
from .ports import loopback
from .stage import Device, Stage, Tenant, together
from .waiting import NeverHappened

OUT, INTERNAL, INBOUND = ("trunking", "from_ab"), ("one_one", "from_ab"), ("trunking", "to_ab")
DID = "842873001000"

Told = tuple[str, str, str, bool]
"""(class, direction, status_detail, did two people talk)."""

EXPECTED: dict[str, Told] = {
    "click: answered, far end hangs up": (*OUT, "SUCCESS", True),
    "click: answered after five seconds": (*OUT, "SUCCESS", True),
    "click: early media, then answered": (*OUT, "SUCCESS", True),
    "click: far end busy (486)": (*OUT, "BUSY", False),
    "click: far end declines (603)": (*OUT, "BUSY", False),
    "click: no such number (404)": (*OUT, "UNSUCCESS", False),
    "click: far end not there (480)": (*OUT, "UNSUCCESS", False),
    "click: trunk out of order (503)": (*OUT, "UNSUCCESS", False),
    "click: far end never answers": (*OUT, "UNSUCCESS", False),
    "click: agent hangs up first": (*OUT, "CANCELLED", False),
    "click: device declines (603)": (*OUT, "UNSUCCESS", False),
    "click: device busy (486)": (*OUT, "UNSUCCESS", False),
    "click: device never picks up": (*OUT, "UNSUCCESS", False),
    "click: trunk is dead": (*OUT, "UNSUCCESS", False),
    "click: an extension answers": (*INTERNAL, "SUCCESS", True),
    "outbound: answered": (*OUT, "SUCCESS", True),
    "outbound: busy": (*OUT, "BUSY", False),
    "outbound: no such number": (*OUT, "UNSUCCESS", False),
    "outbound: no answer": (*OUT, "UNSUCCESS", False),
    "outbound: caller gives up": (*OUT, "CANCELLED", False),
    "internal: answered": (*INTERNAL, "SUCCESS", True),
    "internal: busy": (*INTERNAL, "BUSY", False),
    "internal: declined": (*INTERNAL, "BUSY", False),
    "internal: nobody answers": (*INTERNAL, "UNSUCCESS", False),
    "internal: the phone is offline": (*INTERNAL, "UNSUCCESS", False),
    "internal: caller gives up": (*INTERNAL, "CANCELLED", False),
    "inbound: answered": (*INBOUND, "SUCCESS", True),
    "inbound: busy": (*INBOUND, "BUSY", False),
    "inbound: nobody answers": (*INBOUND, "UNSUCCESS", False),
    "inbound: the phone is offline": (*INBOUND, "UNSUCCESS", False),
    "inbound: abandoned": (*INBOUND, "UNSUCCESS", False),
}


class Calls:
    """All the calls of the table, side by side; ``told`` is what the history says of each."""

    def __init__(self, stage: Stage, tenant: Tenant, dead: Tenant, carrier: Answering) -> None:
        self.stage, self.tenant, self.dead, self.carrier = stage, tenant, dead, carrier
        self.told: dict[str, dict[str, Any]] = {}
        self.failures: list[BaseException] = []

    async def by_click(self, what: str, device: Device, number: str, tenant: Tenant) -> None:
        call_id = await tenant.click(device, number)
        self.told[what] = await tenant.api.record(call_id, 40)

    async def click_from(self, username: str, *calls: tuple[str, str]) -> None:
        """Calls of one auto-answering phone, one after the other."""
        tenant = self.dead if username == "dead" else self.tenant
        device = await tenant.user(username)
        await self.stage.phone(device)
        for what, number in calls:
            await self.by_click(what, device, number, tenant)

    async def click_to_phone(self, username: str, contact: str, what: str) -> None:
        """A SIPp phone that does as its contact says."""
        device = await self.tenant.user(username)
        await self.stage.sipp_phone(device, contact)
        await self.by_click(what, device, "84901230200", self.tenant)

    async def agent_hangs_up(self) -> None:
        device = await self.tenant.user("hasty")
        phone = await self.stage.phone(device)
        call_id = await self.tenant.click(device, number := "84901990000")
        await self.carrier.invited(number)
        await phone.hang_up()
        self.told["click: agent hangs up first"] = await self.tenant.api.record(call_id)

    async def by_phone(self, username: str, *calls: tuple[str, str]) -> None:
        """Calls that a phone dials itself; those that 'give up' hang up while it rings."""
        device = await self.tenant.user(username)
        phone = await self.stage.phone(device)
        for what, number in calls:
            await phone.dial(number)
            if "gives up" in what:
                await phone.wait_for("CALL_RINGING")
                await phone.hang_up()
            if "answered" in what:
                await phone.wait_for("CALL_ESTABLISHED")
                await asyncio.sleep(1.2)  # they talk
                await phone.hang_up()
            await phone.wait_for("CALL_CLOSED")
            self.told[what] = await self.found(what, caller=device.sip_user)

    async def extension(self, username: str, number: str, contact: str = "") -> None:
        """Somebody with an extension, and a SIPp phone that does as its contact says."""
        device = await self.tenant.user(username, "--extension", number)
        if contact:
            await self.stage.sipp_phone(device, contact)

    async def inbound(self, what: str, username: str, did: str, contact: str) -> None:
        """A call from outside, by a real phone at the carrier's address."""
        device = await self.tenant.user(username)
        await self.tenant.number(did, username)
        if contact:
            await self.stage.sipp_phone(device, contact)
        far = await self.stage.far_phone(caller := f"84909{did[-6:]}", self.carrier.address)
        await far.command("dial", f"sip:{did}@{self.stage.server.sip}")
        if "answered" in what:
            await far.wait_for("CALL_ESTABLISHED")
            await asyncio.sleep(1.2)  # they talk
            await far.hang_up()
        if "abandoned" in what:
            await far.wait_for("CALL_RINGING")
            await far.hang_up()
        await far.wait_for("CALL_CLOSED")
        self.told[what] = await self.found(what, caller=caller)

    async def found(self, what: str, caller: str) -> dict[str, Any]:
        """The newest record of a caller, once it is not one that is told already."""
        known = {record["call_id"] for record in self.told.values()}
        for _ in range(100):
            for record in await self.tenant.api.history():
                if record["caller"]["number"] == caller and record["call_id"] not in known:
                    return record
            await asyncio.sleep(0.1)
        raise NeverHappened(f"no record of: {what} (caller {caller})")

    async def people(self) -> None:
        await together(
            self.extension("answers", "201", "p0903"),
            self.extension("busy", "202", "p0486"),
            self.extension("declines", "203", "p0603"),
            self.extension("rings", "204", "p0000"),
            self.extension("away", "205"),
        )

    async def play(self) -> None:
        """Bounded: the phones and commands of six scenes at a time."""
        gate = asyncio.Semaphore(6)

        async def one(scene: Callable[[], Awaitable[None]]) -> None:
            async with gate:
                await scene()

        await self.people()
        scenes = (one(scene) for scene in self.scenes())
        results = await asyncio.gather(*scenes, return_exceptions=True)
        self.failures = [result for result in results if result is not None]

    def scenes(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            lambda: self.click_from(
                "quick",
                ("click: answered, far end hangs up", "84901010903"),
                ("click: far end busy (486)", "84901010486"),
                ("click: far end declines (603)", "84901010603"),
                ("click: no such number (404)", "84901010404"),
                ("click: far end not there (480)", "84901010480"),
                ("click: trunk out of order (503)", "84901010503"),
            ),
            lambda: self.click_from("patient", ("click: far end never answers", "84901020000")),
            lambda: self.click_from("late", ("click: answered after five seconds", "84901040905")),
            lambda: self.click_from("early", ("click: early media, then answered", "84901050183")),
            lambda: self.click_from("dead", ("click: trunk is dead", "84901030200")),
            lambda: self.click_from("inside", ("click: an extension answers", "201")),
            self.agent_hangs_up,
            lambda: self.click_to_phone("decliner", "p0603", "click: device declines (603)"),
            lambda: self.click_to_phone("engaged", "p0486", "click: device busy (486)"),
            lambda: self.click_to_phone("gone", "p0000", "click: device never picks up"),
            lambda: self.by_phone(
                "dialler",
                ("outbound: answered", "84905550200"),
                ("outbound: busy", "84905550486"),
                ("outbound: no such number", "84905550404"),
                ("outbound: caller gives up", "84905550000"),
                ("outbound: no answer", "84905560000"),
            ),
            lambda: self.by_phone(
                "colleague",
                ("internal: answered", "201"),
                ("internal: busy", "202"),
                ("internal: declined", "203"),
                ("internal: caller gives up", "204"),
                ("internal: nobody answers", "204"),
                ("internal: the phone is offline", "205"),
            ),
            lambda: self.inbound("inbound: answered", "in1", f"{DID}1", "answers"),
            lambda: self.inbound("inbound: busy", "in2", f"{DID}2", "p0486"),
            lambda: self.inbound("inbound: nobody answers", "in3", f"{DID}3", "p0000"),
            lambda: self.inbound("inbound: the phone is offline", "in4", f"{DID}4", ""),
            lambda: self.inbound("inbound: abandoned", "in5", f"{DID}5", "p0000"),
        ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def calls(module_stage: Stage) -> Calls:
    """All calls of the table have been made; a scene that failed leaves its calls out."""
    stage, carrier = module_stage, await module_stage.carrier()
    tenant, dead = await together(stage.tenant(), stage.tenant())
    await tenant.trunk(carrier.host)
    await dead.trunk(f"{loopback()}:{stage.ports.one()}")
    all_calls = Calls(stage, tenant, dead, carrier)
    await all_calls.play()
    return all_calls


@pytest.mark.parametrize("what", EXPECTED)
async def test_the_record_says_what_happened(what: str, calls: Calls) -> None:
    assert what in calls.told, f"the scene failed: {calls.failures}"
    told = calls.told[what]
    actual = (told["class"], told["direction"], told["status_detail"], told["billing_seconds"] > 0)
    assert actual == EXPECTED[what], told


@pytest.mark.parametrize("what", EXPECTED)
async def test_a_call_without_talk_has_no_recording(what: str, calls: Calls) -> None:
    told = calls.told[what]
    assert bool(told["recording"]) == EXPECTED[what][-1], told


async def test_every_call_is_one_record(calls: Calls) -> None:
    ids = {record["call_id"] for record in calls.told.values()}
    records = await calls.tenant.api.history() + await calls.dead.api.history()
    assert sorted(record["call_id"] for record in records) == sorted(ids)


async def test_an_inbound_record_names_the_number_and_the_person(calls: Calls) -> None:
    record = calls.told["inbound: answered"]
    assert record["did_number"] == f"{DID}1"
    assert record["caller"] == {"type": "realnumber", "number": f"84909{DID[-5:]}1"}
    assert (record["callee"]["type"], record["callee"]["username"]) == ("user", "in1")


async def test_an_internal_record_names_both_people(calls: Calls) -> None:
    record = calls.told["internal: answered"]
    assert record["did_number"] is None
    assert (record["caller"]["username"], record["callee"]["username"]) == ("colleague", "answers")

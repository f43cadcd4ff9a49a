"""Calls from outside: by the dialled number to a person, all whose phones ring."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest_asyncio

from .listener import RawWebSocket
from .ports import loopback
from .sip import Caller
from .stage import Stage, together

DID = "842873002000"
CALLER = "84907654321"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_stage: Stage) -> Any:
    """(tenant, first phone, second phone, carrier's address): one person, two manual phones."""
    stage, address = module_stage, loopback()
    tenant = await stage.tenant()
    first = await tenant.user("rosa", "--extension", "301")
    second = await tenant.device("rosa")
    await tenant.trunk(f"{address}:5060")
    await tenant.number(DID, "rosa")
    phones = await together(
        stage.phone(first, answer="manual", tone=500), stage.phone(second, answer="manual")
    )
    return tenant, *phones, address


async def test_all_phones_ring_and_the_losers_are_folded_into_one_record(
    module_stage: Stage, house: Any
) -> None:
    tenant, first, second, address = house
    listener = await module_stage.listen(RawWebSocket, tenant)
    far = await module_stage.far_phone(CALLER, address, tone=900)
    await far.command("dial", f"sip:{DID}@{module_stage.server.sip}")
    await together(first.wait_for("CALL_INCOMING"), second.wait_for("CALL_INCOMING"))
    await first.accept()
    await together(far.wait_for("CALL_ESTABLISHED"), second.wait_for("CALL_CLOSED"))
    await asyncio.sleep(3)  # they talk
    await far.hang_up()
    ended = await listener.wait_for("CALL_ENDED")
    (record,) = [one for one in await tenant.api.history() if one["did_number"] == DID]
    assert (record["status_detail"], record["direction"]) == ("SUCCESS", "to_ab")
    assert record["caller"] == {"type": "realnumber", "number": CALLER}
    assert record["callee"]["username"] == "rosa"
    assert {key: ended.data[key] for key in record} == record
    legs = {seen.data["call_id"] for seen in listener.named("CHANNEL_CREATE")}
    causes = [seen.data["hangup_cause"] for seen in listener.named("CHANNEL_DESTROY")]
    directions = [seen.data["call_direction"] for seen in listener.named("CHANNEL_CREATE")]
    assert sorted(directions) == ["inbound", "outbound", "outbound"]
    assert (len(legs), sorted(causes)) == (3, ["LOSE_RACE", *["NORMAL_CLEARING"] * 2])
    assert {seen.call_id for seen in listener.events.all if "call_id" in seen.data} == {
        record["call_id"]
    }
    shares = first.heard.share(0, 900), far.heard.share(0, 500)
    assert min(shares) > 0.9, shares


async def test_an_unknown_number_is_refused_and_rings_nobody(
    module_stage: Stage, house: Any
) -> None:
    tenant, first, second, address = house
    rang, before = (first.rung, second.rung), await tenant.api.history()
    caller = Caller(address=address, server=module_stage.server.sip, user=CALLER)
    answers = [(await caller.invite(did)).code for did in ("842873002999", "301", "abc", "+")]
    assert all(400 <= code < 500 for code in answers), answers
    await asyncio.sleep(1)  # a call that must not be would show by now
    assert (first.rung, second.rung) == rang
    told = [one for one in await tenant.api.history() if one not in before]
    assert all(
        (one["status_detail"], one["billing_seconds"], one["recording"]) == ("UNSUCCESS", 0, "")
        for one in told
    ), told


async def test_a_plus_before_the_number_makes_no_difference(
    module_stage: Stage, house: Any
) -> None:
    _, first, second, address = house
    far = await module_stage.far_phone("84907000001", address)
    await far.command("dial", f"sip:+{DID}@{module_stage.server.sip}")
    await together(first.wait_for("CALL_INCOMING"), second.wait_for("CALL_INCOMING"))
    await far.hang_up()
    await together(first.wait_for("CALL_CLOSED"), second.wait_for("CALL_CLOSED"))

"""How each leg's audio went: measured by the engine, told of where it was bad, and kept in the call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from .conftest import SHORT
from .firm import DID, Firm, Told
from .listener import RawWebSocket, Seen
from .lossy import LossyWay, Reports, UnevenWay
from .party import BY_HAND, Party
from .phone import Phone
from .ports import Ports
from .server import Server
from .stage import Stage, Tenant, together

TALK = 13
"""Seconds: the engine reports every five, and the far end hears of it then."""


def bad(told: Told) -> list[Seen]:
    return [seen for seen in told.events if seen.name == "CALL_QUALITY"]


def quality(told: Told, user: str, call_id: str = "") -> dict[str, Any]:
    """Of the only leg with that device, or trunk, as ``GET /v1/calls/{id}`` shows it."""
    shown = told.shown[call_id or told.one["call_id"]]
    (found,) = [leg["quality"] for leg in shown["legs"] if leg["endpoint"].startswith(user)]
    return dict(found)


async def test_a_good_call_tells_nothing_and_its_detail_has_the_numbers(firm: Firm) -> None:
    hers = await firm.alice.dial("0901234567").up()
    theirs = await firm.carrier.taken()
    await together(Reports.of(hers, jitter=0.004), Reports.of(theirs))
    await asyncio.sleep(TALK)
    await hers.hang_up()
    told = await firm.told()
    found = quality(told, "alice")
    assert found["codec"] == "ulaw"
    assert found["received"]["lost"] == 0
    assert abs(found["received"]["packets"] - hers.voice.sent) < 10
    assert abs(found["sent"]["packets"] - len(hers.voice.came)) < 10
    assert (found["sent"]["lost"], found["sent"]["jitter_ms"]) == (0, 4.0)
    assert found["received"]["mos"] > 4.2
    assert found["sent"]["mos"] > 4.2
    assert 0 <= found["round_trip_ms"] < 100
    assert bad(told) == []


async def test_one_packet_in_ten_lost_from_a_phone_is_measured_and_told_once(firm: Firm) -> None:
    hers = await firm.alice.dial("102").up()
    his = await firm.bob.taken()
    way = LossyWay(hers, 10)
    await asyncio.sleep(TALK)
    await his.hang_up()
    told = await firm.told()
    found = quality(told, "alice")
    assert 9 < found["received"]["loss_percent"] < 11
    assert way.lost - 55 * 5 / 10 <= found["received"]["lost"] <= way.lost
    assert found["received"]["mos"] < 3.6
    assert found["sent"]["lost"] is None, "a phone without RTCP says nothing of what it hears"
    assert quality(told, "bob")["received"]["lost"] == 0
    (seen,) = bad(told)
    assert seen.data["faults"] == ["RECEIVED_LOSS", "RECEIVED_MOS"]
    assert seen.data["received_loss_percent"] == found["received"]["loss_percent"]
    assert seen.call_id == told.one["call_id"]
    (over,) = [leg for leg in told.legs() if leg["call_id"] == seen.data["call_id"]]
    assert over["event_seq"] == seen.seq - 1


async def test_what_a_carrier_reports_of_what_it_hears_is_told(firm: Firm) -> None:
    await firm.alice.dial("0901234568").up()
    theirs = await firm.carrier.taken()
    await Reports.of(theirs, loss=0.1, jitter=0.08)
    await asyncio.sleep(TALK)
    await theirs.hang_up()
    told = await firm.told()
    (seen,) = bad(told)
    assert seen.data["faults"] == ["SENT_LOSS", "SENT_JITTER", "SENT_MOS"]
    assert 9 < seen.data["sent_loss_percent"] < 11
    assert seen.data["sent_jitter_ms"] == 80
    assert seen.data["sent_mos"] < 3.6
    assert quality(told, "alice")["received"]["lost"] == 0


async def test_every_leg_of_a_transferred_call_has_its_quality(firm: Firm) -> None:
    theirs = await firm.carrier.dial("02873010001", caller="0901234569").up()
    hers = await firm.alice.taken()
    asked = await firm.alice.dial("102").up()
    await firm.bob.taken()
    LossyWay(theirs, 10)
    await asyncio.sleep(6)
    assert (await hers.transfer(asked))[-1] == 200
    await asyncio.sleep(TALK)
    await theirs.hang_up()
    told = await firm.told()
    goes_on = next(one for one in told.shown.values() if not one["merged_into"])
    assert [leg["quality"] is None for leg in goes_on["legs"]] == [False] * len(goes_on["legs"])
    (seen,) = bad(told)
    assert "RECEIVED_LOSS" in seen.data["faults"]
    assert seen.call_id == goes_on["call_id"]


async def test_a_blind_transfer_and_a_click_have_them_too(firm: Firm) -> None:
    call_id = await firm.click("0901234560")
    hers = await firm.alice.taken()
    theirs = await firm.carrier.taken()
    await asyncio.sleep(1)
    await hers.transfer("103")
    await firm.carol.taken()
    await asyncio.sleep(6)
    await theirs.hang_up()
    told = await firm.told(call_id)
    shown = told.shown[call_id]
    found = {leg["endpoint"]: leg["quality"] for leg in shown["legs"]}
    assert len(found) == 3
    assert all(found.values()), found


async def test_who_takes_over_a_call_or_picks_one_up_has_it_as_well(firm: Firm) -> None:
    hers = await firm.alice.dial("0901234562").up()
    theirs = await firm.carrier.taken()
    await firm.bob.dial("0901234562", replaces=hers).up()
    await asyncio.sleep(6)
    await theirs.hang_up()
    firm.alice.taking = BY_HAND
    theirs = firm.carrier.dial(DID, caller="0901234569")
    await firm.bob.dial("101", replaces=await firm.alice.rung()).up()
    await asyncio.sleep(6)
    await theirs.hang_up()
    told = await firm.told()
    taken_over, picked_up = (one for one in told.shown.values() if not one["merged_into"])
    assert [bool(leg["quality"]) for leg in taken_over["legs"]] == [True, True, True]
    (bobs,) = [leg for leg in picked_up["legs"] if leg["endpoint"].startswith("bob")]
    assert bobs["quality"]["received"]["mos"] > 4.2


async def test_packets_that_come_unevenly_and_in_another_order_are_jitter_and_no_loss(
    firm: Firm,
) -> None:
    hers = await firm.alice.dial("102").up()
    await firm.bob.taken()
    UnevenWay(hers, 0.06)
    await asyncio.sleep(TALK)
    await hers.hang_up()
    told = await firm.told()
    found = quality(told, "alice")["received"]
    assert found["lost"] <= 5
    assert 10 < found["jitter_ms"] < 60


async def test_a_leg_that_was_never_up_has_none(firm: Firm) -> None:
    firm.bob.taking = BY_HAND
    hers = firm.alice.dial("102")
    his = await firm.bob.rung()
    await his.refuse(486)
    await hers.over()
    told = await firm.told()
    legs = told.shown[told.one["call_id"]]["legs"]
    assert [leg["quality"] for leg in legs] == [None, None]


async def test_real_phones_say_what_they_hear(stage: Stage) -> None:
    tenant = await stage.tenant()
    agent, other = await tenant.people(agent=("--extension", "101"), other=("--extension", "102"))
    phone, far = await together(stage.phone(agent, tone=500), stage.phone(other, tone=900))
    third = await stage.party((await tenant.people(third=("--extension", "103")))[0], tone=620)
    call_id = await tenant.click(agent, "102")
    await together(phone.wait_for("CALL_ESTABLISHED"), far.wait_for("CALL_ESTABLISHED"))
    await asyncio.sleep(TALK)
    await phone.hang_up()
    record = await tenant.api.record(call_id)
    shown = await stage.server.cli("calls", "show", record["call_id"])
    for leg in shown["legs"]:
        found = leg["quality"]
        assert found["sent"]["lost"] == 0, found
        assert found["sent"]["jitterMs"] is not None
        assert found["sent"]["mos"] > 4
        assert found["received"]["mos"] > 4
    await loses_on_the_way_in(stage, tenant, third, phone)


async def loses_on_the_way_in(stage: Stage, tenant: Tenant, third: Party, phone: Phone) -> None:
    """What is lost on the leg of whoever speaks is missed by whoever listens: both legs tell of it."""
    listener = await stage.listen(RawWebSocket, tenant)
    call = await third.dial("101").up()
    way = LossyWay(call, 10)
    await asyncio.sleep(TALK)
    await phone.hang_up()
    await listener.wait_for("CALL_ENDED")
    told = {tuple(seen.data["faults"]): seen.data for seen in listener.named("CALL_QUALITY")}
    assert set(told) == {("RECEIVED_LOSS", "RECEIVED_MOS"), ("SENT_LOSS", "SENT_MOS")}
    missed = told["SENT_LOSS", "SENT_MOS"]
    assert way.lost * 0.6 < missed["sent_lost"] <= way.lost
    assert missed["received_lost"] == 0


async def test_the_log_has_it_where_all_of_python_is_dead(ports: Ports, tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ports.one(), ports.one(), ports.range(200), SHORT)
    stage = Stage(await server.start(), ports, tmp_path)
    try:
        firm = await Firm.open(stage, recorded=False)
        firm.begin()
        hers = await firm.alice.dial("0901234561").up()
        await firm.carrier.taken()
        LossyWay(hers, 10)
        await server.kill9()
        await asyncio.sleep(TALK)
        await hers.hang_up()
        await asyncio.sleep(1)
        await server.start()
        (record,) = await firm.tenant.api.records(1)
        shown = await firm.v1(record["call_id"])
        first, second = (leg["quality"] for leg in shown["legs"])
        assert 9 < first["received"]["loss_percent"] < 11
        assert second["received"]["lost"] == 0
        told = [each["type"] for each in shown["events"]]
        assert told[-4:].count("CALL_QUALITY") == 1
    finally:
        await stage.close()
        await server.stop()

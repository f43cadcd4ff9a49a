"""What is told of a leg: early media, silence, callers without a number, phones that are taken back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from .conftest import SHORT
from .firm import DID, INBOUND, INTERNAL, OUT, Firm, Says
from .party import BY_HAND, Call, Taking
from .ports import Ports
from .server import Server
from .stage import Stage, together

CUSTOMER, DIALLED = "0907000001", "0901000001"
MEDIA_TIMEOUT = 4
"""Seconds of ``media_timeout_seconds`` in these tests."""

# ---- A far end that alerts by 183 only ---------------------------------------------------------------


async def test_early_media_is_ringing(firm: Firm) -> None:
    """The ringing begins with the 183; it is told once."""
    firm.carrier.takings[DIALLED] = Taking(alert=183, after=2.2)
    talk = await firm.alice.dial(DIALLED).alerted(183)
    await talk.voice.hears(1400)
    await talk.up()
    await asyncio.sleep(1)
    await talk.hang_up()
    told = await firm.told()
    assert told.says == [Says(OUT, "SUCCESS", "alice", DIALLED)]
    rang = [seen.data["call_id"] for seen in told.events if seen.name == "CHANNEL_PROGRESS"]
    assert rang == [told.leg_to(DIALLED)["call_id"]]
    assert int(told.leg_to(DIALLED)["ringing_seconds"]) >= 2
    shown = told.shown[told.one["call_id"]]
    assert shown["ringing_seconds"] >= 2
    leg = next(leg for leg in shown["legs"] if leg["id"] == rang[0])
    assert leg["ringing_at"] is not None


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "given up"])
async def test_early_media_without_an_answer(refused: bool, firm: Firm) -> None:
    firm.carrier.takings[DIALLED] = Taking(alert=183, after=2.2 if refused else None, code=486)
    talk = await firm.alice.dial(DIALLED).alerted(183)
    await (asyncio.sleep(0) if refused else asyncio.sleep(2.2))
    await (talk.over() if refused else talk.hang_up())
    told = await firm.told()
    assert told.says == [Says(OUT, "BUSY" if refused else "CANCELLED", "alice", DIALLED)]
    assert told.shown[told.one["call_id"]]["ringing_seconds"] >= 2
    assert told.leg_to(DIALLED)["hangup_cause"] == ("USER_BUSY" if refused else "ORIGINATOR_CANCEL")


# ---- Callers without a number ------------------------------------------------------------------------


@pytest.mark.parametrize("caller", ["", "anonymous", "Anonymous", "unavailable", "%20"])
async def test_a_caller_without_a_number(caller: str, firm: Firm) -> None:
    """Events leave the number out, the history says anonymous, the phone shows nothing of ours."""
    call = firm.carrier.dial(DID, caller=caller)
    taken = await firm.alice.taken()
    await call.up()
    await call.hang_up()
    told = await firm.told()
    assert told.says == [Says(INBOUND, "SUCCESS", "anonymous", "alice", DID)]
    legs = [seen.data for seen in told.events if seen.name.startswith("CHANNEL_")]
    numbers = {
        leg[key] for key in ("caller_id_number", "other_leg_caller_id_number") for leg in legs
        if key in leg and leg.get("from", "").partition("@")[0] not in _devices(firm)
    }  # fmt: skip
    assert numbers == set()
    assert [leg for leg in legs if "trunk-" in leg["from"]] == []
    assert taken.invite
    assert taken.caller_id in (caller or "anonymous")
    assert "trunk-" not in json.dumps([*taken.invite.fields])


async def test_a_caller_with_a_name_alone(firm: Firm) -> None:
    call = firm.carrier.dial(DID, caller="", name="Bo")
    taken = await firm.alice.taken()
    await (await call.up()).hang_up()
    told = await firm.told()
    assert told.says == [Says(INBOUND, "SUCCESS", "anonymous", "alice", DID)]
    assert taken.invite
    assert taken.invite["From"].startswith('"Bo" <sip:anonymous@')


def _devices(firm: Firm) -> set[str]:
    return {device.sip_user for device in firm.devices.values()}


# ---- Several phones ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [486, 480, 404, 408, 488, 500, 603])
async def test_a_ringing_phone_that_was_taken_back_says_why(code: int, firm: Firm) -> None:
    """bob has two phones: one refuses, the other rings, the caller gives up."""
    device = await firm.tenant.device("bob")
    second = await firm.stage.party(device, tone=700)
    second.taking, firm.bob.taking = Taking(code=code), BY_HAND
    caller = await firm.alice.dial("102").alerted()
    refused = await second.rung()
    await refused.over()
    await asyncio.sleep(0.5)
    await caller.hang_up()
    told = await firm.told()
    await second.register(0)
    await second.close()
    assert told.says == [Says(INTERNAL, "CANCELLED", "alice", "bob")]
    assert told.leg_to(firm.devices["bob"].sip_user)["hangup_cause"] == "ORIGINATOR_CANCEL"
    assert told.leg_to(device.sip_user)["hangup_cause"] != "ORIGINATOR_CANCEL"
    assert told.leg_to(device.sip_user)["hangup_code"] == f"sip:{code}"
    assert told.shown[told.one["call_id"]]["hangup_cause"] == "ORIGINATOR_CANCEL"


async def test_who_hangs_up_while_others_ring_has_no_cause_of_theirs(firm: Firm) -> None:
    """alice has clicked bob, one of whose phones is busy, and does not wait for the other one."""
    device = await firm.tenant.device("bob")
    second = await firm.stage.party(device, tone=700)
    second.taking, firm.bob.taking = Taking(code=486), BY_HAND
    call_id = await firm.click("102")
    hers = await firm.alice.taken()
    await (await second.rung()).over()
    await asyncio.sleep(0.5)
    await hers.hang_up()
    told = await firm.told(call_id)
    await second.register(0)
    await second.close()
    assert told.says == [Says(INTERNAL, "CANCELLED", "alice", "bob")]
    leg = told.leg_to(firm.devices["alice"].sip_user)
    assert (leg["hangup_cause"], leg.get("hangup_code")) == ("NORMAL_CLEARING", None)


# ---- Nobody there any more ---------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watchful(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm on a server that waits a few seconds for audio."""
    folder: Path = tmp_path_factory.mktemp("watchful")
    settings: dict[str, Any] = SHORT | {"media_timeout_seconds": MEDIA_TIMEOUT}
    server = Server(folder / "data", ports.one(), ports.one(), ports.range(200), settings)
    try:
        await server.start()
        stage = Stage(server, ports, folder)
        yield await Firm.open(stage)
        await stage.close()
    finally:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def watched(watchful: Firm) -> AsyncIterator[Firm]:
    watchful.begin()
    yield watchful
    await watchful.end()


async def _outbound(firm: Firm) -> tuple[Call, Call]:
    talk = await firm.alice.dial(DIALLED).up()
    far = await firm.carrier.taken()
    await together(talk.voice.hears(1400), far.voice.hears(440))
    return talk, far


async def test_two_who_talk_are_left_alone(watched: Firm) -> None:
    talk, _ = await _outbound(watched)
    await asyncio.sleep(2 * MEDIA_TIMEOUT)
    assert not talk.over_at
    await talk.hang_up()
    assert (await watched.told()).says == [Says(OUT, "SUCCESS", "alice", DIALLED)]


async def test_one_on_hold_may_be_silent(watched: Firm) -> None:
    """alice holds the carrier, and so sends nothing; nor does the carrier."""
    talk, far = await _outbound(watched)
    await talk.hold()
    far.go_silent()
    await asyncio.sleep(3 * MEDIA_TIMEOUT)
    assert not talk.over_at
    far.voice.speaking = True
    await talk.resume()
    await together(talk.voice.hears(1400), far.voice.hears(440))
    await talk.hang_up()
    assert (await watched.told()).says == [Says(OUT, "SUCCESS", "alice", DIALLED)]


@pytest.mark.parametrize("who", ["far end", "phone"])
async def test_a_leg_that_fell_silent_is_hung_up(who: str, watched: Firm) -> None:
    talk, far = await _outbound(watched)
    silent, other = (far, talk) if who == "far end" else (talk, far)
    silent.go_silent()
    gone = time.monotonic()
    await other.over(4 * MEDIA_TIMEOUT + 5)
    assert other.over_at - gone >= MEDIA_TIMEOUT - 1
    told = await watched.told()
    assert told.says == [Says(OUT, "SUCCESS", "alice", DIALLED)]
    cause = told.leg_to(DIALLED)["hangup_cause"] if who == "far end" else next(
        leg["hangup_cause"] for leg in told.legs() if leg["call_direction"] == "inbound"
    )  # fmt: skip
    assert cause == "MEDIA_TIMEOUT"
    assert told.shown[told.one["call_id"]]["hangup_cause"] == "MEDIA_TIMEOUT"


async def test_who_only_listens_and_sends_keep_alives_stays(watched: Firm) -> None:
    """Silence in the audio is audio: a muted phone goes on sending packets."""
    talk, far = await _outbound(watched)
    talk.mute()
    await far.voice.hears(0)
    await asyncio.sleep(3 * MEDIA_TIMEOUT)
    assert not talk.over_at
    await talk.hang_up()
    assert (await watched.told()).says == [Says(OUT, "SUCCESS", "alice", DIALLED)]


async def test_a_laptop_that_was_closed(watched: Firm) -> None:
    """Case 16: no audio, no SIP. The talk is billed, and it ends within the time and a bit."""
    talk, far = await _outbound(watched)
    await asyncio.sleep(1)
    watched.alice.die()
    gone = time.monotonic()
    try:
        await far.over(4 * MEDIA_TIMEOUT + 5)
    finally:
        watched.alice.dead = False
    talk._over("them")
    told = await watched.told()
    assert told.says == [Says(OUT, "SUCCESS", "alice", DIALLED)]
    # Billing goes up to the last sign, or until it was noticed; never on and on.
    assert told.one["billing_seconds"] <= far.over_at - far.up_at + 1
    assert far.over_at - gone < 4 * MEDIA_TIMEOUT + 5
    leg = next(leg for leg in told.legs() if leg["call_direction"] == "inbound")
    assert leg["hangup_cause"] == "MEDIA_TIMEOUT"

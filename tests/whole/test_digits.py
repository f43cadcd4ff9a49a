"""Digits get from each end to the other, once, whatever the two of them speak: events, tones or SIP INFO."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from .conftest import Shared
from .firm import DID, Firm
from .keyed import PAIRS as KEY_TONES
from .keyed import KeyedParty, KeyedStage, KeyedVoice
from .party import Call, Taking
from .ports import Ports
from .waiting import until

DIALLED = "15#*80"
SHORTEST = 0.08
"""Seconds of a tone that any carrier takes for a digit."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keyed_stage(
    shared: Shared, ports: Ports, tmp_path_factory: Any
) -> AsyncIterator[KeyedStage]:
    stage = KeyedStage(await shared.on("sqlite"), ports, tmp_path_factory.mktemp("keys"))
    yield stage
    await stage.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(keyed_stage: KeyedStage) -> Firm:
    return await Firm.open(keyed_stage)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def unrecorded(keyed_stage: KeyedStage) -> Firm:
    """Whose packets no recorder looks into."""
    return await Firm.open(keyed_stage, recorded=False)


@pytest_asyncio.fixture(loop_scope="session")
async def firm(recorded: Firm) -> AsyncIterator[Firm]:
    anew(recorded)
    yield recorded
    await recorded.end()


def anew(firm: Firm) -> None:
    firm.begin()
    for party in firm.parties:
        assert isinstance(party, KeyedParty)
        party.anew()


class Ends:
    """The two ends of a call: alice's, and that of somebody outside."""

    def __init__(self, hers: Call, outside: Call) -> None:
        self.hers, self.outside = hers, outside

    async def talk(self) -> Ends:
        hers, theirs = self.hers, self.outside
        await asyncio.gather(hers.voice.hears(theirs.tone), theirs.voice.hears(hers.tone))
        return self


async def outward(firm: Firm) -> Ends:
    hers = await firm.alice.dial("0901234567").up()
    return await Ends(hers, await firm.carrier.taken()).talk()


async def inward(firm: Firm) -> Ends:
    theirs = await firm.carrier.dial(DID, caller="0901234567").up()
    return await Ends(await firm.alice.taken(), theirs).talk()


def keyed(call: Call) -> KeyedVoice:
    assert isinstance(call.voice, KeyedVoice)
    return call.voice


async def key_in(call: Call, how: str, digits: str = DIALLED, seconds: float = 0.1) -> None:
    """Press them one after the other, by events, as tones or by SIP INFO."""
    for digit in digits:
        if how == "info":
            assert isinstance(call.party, KeyedParty)
            assert await call.party.inform(call, digit) == 200
            await asyncio.sleep(0.3)
        else:
            getattr(keyed(call), "press" if how == "events" else "play")(digit, seconds)
            await keyed(call).quiet()
            await asyncio.sleep(0.1)


async def comes(call: Call, how: str, since: float, digits: str = DIALLED) -> None:
    """Exactly these digits come, that way and no other, and the talk goes on."""
    voice = keyed(call)
    if how == "events":
        came = lambda: voice.pressed(since)  # noqa: E731
    else:
        came = lambda: "".join(digit.key for digit in voice.digits(since))  # noqa: E731
    await until(lambda: len(came()) >= len(digits), f"{digits} as {how}: {came()}", 8)
    await asyncio.sleep(0.5)  # for what would come twice
    assert came() == digits
    if how == "events":
        assert [digit for digit in voice.digits(since) if digit.seconds >= 0.04] == []
    else:
        assert voice.pressed(since) == ""
        assert min(digit.seconds for digit in voice.digits(since)) >= SHORTEST - 0.001


PAIRS = [("events", "events"), ("events", "tones"), ("tones", "events"), ("tones", "tones")]


@pytest.mark.parametrize(
    ("talk", "codecs"),
    [
        (outward, "PCMU PCMU"),
        (outward, "PCMU PCMA"),
        (outward, "PCMA PCMU"),
        (inward, "PCMU PCMU"),
    ],
)
@pytest.mark.parametrize(("hers", "outside"), PAIRS)
async def test_digits_reach_the_other_end(
    hers: str, outside: str, codecs: str, talk: Any, firm: Firm
) -> None:
    firm.alice.has_events, firm.carrier.has_events = hers == "events", outside == "events"
    firm.alice.codec, firm.carrier.codec = codecs.split()
    ends = await talk(firm)
    for one, sends, other, gets in (
        (ends.hers, hers, ends.outside, outside),
        (ends.outside, outside, ends.hers, hers),
    ):
        since = time.monotonic()
        await key_in(one, sends)
        await comes(other, gets, since)
    await ends.talk()


@pytest.mark.parametrize(("hers", "outside"), PAIRS)
async def test_digits_of_a_call_that_is_not_recorded(
    hers: str, outside: str, unrecorded: Firm
) -> None:
    anew(unrecorded)
    await test_digits_reach_the_other_end(hers, outside, "PCMU PCMU", outward, unrecorded)
    await unrecorded.end()


@pytest.mark.parametrize("outside", ["events", "tones"])
@pytest.mark.parametrize("has_events", [True, False])
async def test_a_phone_that_sends_digits_by_info(
    has_events: bool, outside: str, firm: Firm
) -> None:
    firm.alice.has_events, firm.carrier.has_events = has_events, outside == "events"
    ends, since = await outward(firm), time.monotonic()
    await key_in(ends.hers, "info")
    await comes(ends.outside, outside, since)


@pytest.mark.parametrize("seconds", [0.04, 0.06, 0.08])
async def test_digits_that_are_short_become_tones_that_are_not(seconds: float, firm: Firm) -> None:
    firm.carrier.has_events = False
    ends, since = await outward(firm), time.monotonic()
    await key_in(ends.hers, "events", "0123456789", seconds)
    await comes(ends.outside, "tones", since, "0123456789")


async def test_tones_beside_telephone_event_stay_sound(firm: Firm) -> None:
    """With events at both ends nobody listens to the sound for digits: that would cost, and double them."""
    for talk in (outward, inward):
        ends, since = await talk(firm), time.monotonic()
        for one, other in ((ends.hers, ends.outside), (ends.outside, ends.hers)):
            await key_in(one, "tones")
            voice = keyed(other)
            heard = lambda: "".join(digit.key for digit in voice.digits(since))  # noqa: B023, E731
            await until(lambda: heard() == DIALLED, "the tones as they were sent", 5)  # noqa: B023
            assert voice.pressed(since) == ""
        await ends.hers.hang_up()


async def test_a_carrier_with_early_media_and_no_telephone_event(firm: Firm) -> None:
    """Digits are wanted before the answer, too, by some that ask for a code."""
    firm.carrier.has_events = False
    firm.carrier.taking = Taking(after=None, alert=183)
    hers = firm.alice.dial("0901234567")
    theirs = await firm.carrier.rung()
    await hers.alerted(183)
    await hers.voice.hears(1400)
    since = time.monotonic()
    await key_in(hers, "events")
    await comes(theirs, "tones", since)
    await theirs.pick_up()
    await hers.up()
    since = time.monotonic()
    await key_in(hers, "events")
    await comes(theirs, "tones", since)


async def test_digits_after_a_hold_and_after_a_transfer(firm: Firm) -> None:
    """bob, who has telephone-event, takes over from alice, who has none."""
    firm.alice.has_events, firm.carrier.has_events, firm.carrier.codec = False, False, "PCMA"
    ends = await outward(firm)
    await ends.hers.hold()
    await ends.hers.resume()
    await ends.talk()
    since = time.monotonic()
    await key_in(ends.hers, "tones")
    await comes(ends.outside, "tones", since)
    await ends.hers.transfer("102")
    bobs = await Ends(await firm.bob.taken(), ends.outside).talk()
    since = time.monotonic()
    await key_in(bobs.hers, "events")
    await comes(bobs.outside, "tones", since)
    since = time.monotonic()
    await key_in(bobs.outside, "tones")
    await comes(bobs.hers, "events", since)


@pytest.mark.parametrize("how", ["tones", "events", "both"])
async def test_digits_are_not_in_a_recording(how: str, firm: Firm) -> None:
    """Card numbers are typed in calls. What is said before and after them stays."""
    ends = await outward(firm)
    for digit in "4111#":
        if how == "both":
            keyed(ends.hers).press(digit, 0.04)
            await keyed(ends.hers).quiet()
        await key_in(ends.hers, "events" if how == "events" else "tones", digit)
    await asyncio.sleep(0.5)
    await ends.hers.hang_up()
    (call_id,) = firm.announced()

    async def record() -> dict[str, Any] | None:
        return next((r for r in await firm.tenant.api.history() if r["call_id"] == call_id), None)

    sound = await firm.sound(await until(record, "the record"))
    left = sound.data[:, 0]
    step = sound.rate // 50
    frames = left[: len(left) // step * step].reshape(-1, step)
    assert [digit_in(frame, sound.rate) for frame in frames if digit_in(frame, sound.rate)] == []
    said = [frame for frame in frames if (frame**2).mean() > 1e-4]
    assert len(said) * 0.02 > sound.seconds - (1.2 if how == "tones" else 1.8)


def digit_in(frame: NDArray[np.float64], rate: int) -> str:
    """The key whose two tones are most of what sounds."""
    whole = float((frame**2).mean())
    if whole < 1e-5:
        return ""
    at = np.arange(len(frame)) / rate
    power = {
        hertz: float(abs((frame * np.exp(-2j * np.pi * hertz * at)).mean()) ** 2 * 2)
        for pair in KEY_TONES.values()
        for hertz in pair
    }
    for key, (low, high) in KEY_TONES.items():
        if min(power[low], power[high]) > 0.15 * whole and power[low] + power[high] > 0.5 * whole:
            return key
    return ""

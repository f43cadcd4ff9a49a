"""A recording is as long as the talk and has everybody who talked, whoever left: from both sides, blind and asked first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from .firm import DID, Firm
from .party import Call, Party
from .stage import together
from .tones import Sound
from .waiting import NeverHappened, until

ALICE, BOB, CAROL, CUSTOMER = 440, 620, 830, 1400
NEAR = 0.4
"""Seconds that a recording may differ from the talk."""


class Talk(NamedTuple):
    """A call that is up: of the one who will transfer, and of the other one; who called is left."""

    hers: Call
    other: Call
    called: Literal["hers", "other"]


Kind = Callable[[Firm], Coroutine[Any, Any, Talk]]


async def dials_out(firm: Firm) -> Talk:
    hers = await firm.alice.dial("0901234501").up()
    return Talk(hers, await firm.carrier.taken(), "hers")


async def clicks(firm: Firm) -> Talk:
    await firm.click("0901234502")
    return Talk(await firm.alice.taken(), await firm.carrier.taken(), "hers")


async def is_called_from_outside(firm: Firm) -> Talk:
    other = await firm.carrier.dial(DID, caller="0901234503").up()
    return Talk(await firm.alice.taken(), other, "other")


async def calls_inside(firm: Firm) -> Talk:
    hers = await firm.alice.dial("102").up()
    return Talk(hers, await firm.bob.taken(), "hers")


async def is_called_inside(firm: Firm) -> Talk:
    other = await firm.bob.dial("101").up()
    return Talk(await firm.alice.taken(), other, "other")


KINDS = [dials_out, clicks, is_called_from_outside, calls_inside, is_called_inside]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


async def hear_each_other(one: Call, other: Call) -> None:
    await together(one.voice.hears(other.tone, 1), other.voice.hears(one.tone, 1))


async def recorded(firm: Firm, call_id: str) -> Sound:
    """The recording of the call, once it is over; nothing is left in the spool then."""

    async def record() -> dict[str, Any] | None:
        found = [one for one in await firm.tenant.api.history() if one["call_id"] == call_id]
        return found[0] if found else None

    sound = await firm.sound(await until(record, f"the record of {call_id}"))
    spool = firm.stage.server.data / "engine" / "spool"
    try:
        await until(lambda: not raw_files(spool), "an empty spool")
    except NeverHappened as error:
        raise AssertionError(f"left in the spool: {raw_files(spool)}") from error
    return sound


def raw_files(spool: Path) -> list[Path]:
    return [file for file in spool.rglob("*") if file.is_file()]


def spoke(sound: Sound, channel: int) -> list[int]:
    """Whose tones are on a channel, in their order; a tone that is nobody's stays as it is."""
    tones = [_whose(tone) for tone, _ in sound.said(channel)]
    return list(dict.fromkeys(tones))


def _whose(tone: float) -> int:
    near = (known for known in (ALICE, BOB, CAROL, CUSTOMER) if abs(known - tone) <= 12)
    return next(near, round(tone))


def sides(talk: Talk, new: Party) -> list[list[int]]:
    """Who takes over is where the one was who left."""
    taken_over, stayed = [talk.hers.tone, new.tone], [talk.other.tone]
    return [taken_over, stayed] if talk.called == "hers" else [stayed, taken_over]


def longest(sound: Sound, channel: int, tone: int) -> float:
    return max(took for heard, took in sound.said(channel) if abs(heard - tone) <= 12)


async def test_a_blind_transfer_is_recorded_to_its_end(firm: Firm, kind: Kind) -> None:
    talk = await kind(firm)
    await hear_each_other(talk.hers, talk.other)
    assert (await talk.hers.transfer("103"))[-1] == 200
    new = await firm.carol.taken()
    await hear_each_other(talk.other, new)
    await talk.other.hang_up()
    await new.over()

    sound = await recorded(firm, firm.announced()[0])
    talked = talk.hers.left_at - talk.hers.up_at + talk.other.over_at - new.up_at
    assert [spoke(sound, 0), spoke(sound, 1)] == sides(talk, firm.carol)
    assert sound.seconds == pytest.approx(talked, abs=NEAR)


async def test_an_attended_transfer_is_recorded_to_its_end(firm: Firm, kind: Kind) -> None:
    talk = await kind(firm)
    await hear_each_other(talk.hers, talk.other)
    await talk.hers.hold()
    asking = await firm.alice.dial("103").up()
    new = await firm.carol.taken()
    await hear_each_other(asking, new)
    await talk.hers.transfer(asking)
    await hear_each_other(talk.other, new)
    await talk.other.hang_up()
    await new.over()

    sound = await recorded(firm, firm.announced()[0])
    talked = talk.other.over_at - talk.hers.up_at
    assert [spoke(sound, 0), spoke(sound, 1)] == sides(talk, firm.carol)
    assert sound.seconds == pytest.approx(talked, abs=NEAR)


@pytest.mark.parametrize("asked_first", [False, True])
async def test_whoever_was_called_transfers_the_caller(firm: Firm, asked_first: bool) -> None:
    alice = await firm.alice.dial("102").up()
    bob = await firm.bob.taken()
    await hear_each_other(alice, bob)
    to: Call | str = "103"
    if asked_first:
        await bob.hold()
        to = await firm.bob.dial("103").up()
    await bob.transfer(to)
    carol = await firm.carol.taken()
    await hear_each_other(alice, carol)
    await carol.hang_up()
    await alice.over()

    sound = await recorded(firm, firm.announced()[0])
    talked = (
        carol.over_at - bob.up_at
        if asked_first
        else bob.left_at - bob.up_at + carol.over_at - carol.up_at
    )
    assert [spoke(sound, 0), spoke(sound, 1)] == [[ALICE], [BOB, CAROL]]
    assert sound.seconds == pytest.approx(talked, abs=NEAR)


async def test_a_call_that_is_moved_twice_has_all_three(firm: Firm) -> None:
    talk = await dials_out(firm)
    await hear_each_other(talk.hers, talk.other)
    await talk.hers.transfer("102")
    bob = await firm.bob.taken()
    await hear_each_other(talk.other, bob)
    await bob.transfer("103")
    carol = await firm.carol.taken()
    await hear_each_other(talk.other, carol)
    await carol.hang_up()
    await talk.other.over()

    sound = await recorded(firm, firm.announced()[0])
    assert [spoke(sound, 0), spoke(sound, 1)] == [[ALICE, BOB, CAROL], [CUSTOMER]]


async def test_the_new_party_is_heard_after_every_blind_transfer(firm: Firm) -> None:
    """Ten in a row: each phone's RTP begins at a number of its own, behind the last one's."""
    for _ in range(10):
        firm.begin()
        customer = await firm.carrier.dial(DID, caller="0901234503").up()
        alice = await firm.alice.taken()
        await hear_each_other(customer, alice)
        await alice.transfer("103")
        carol = await firm.carol.taken()
        await hear_each_other(customer, carol)
        heard = time.monotonic() - carol.up_at
        await customer.hang_up()
        await carol.over()

        sound = await recorded(firm, firm.announced()[0])
        assert [spoke(sound, 0), spoke(sound, 1)] == [[CUSTOMER], [ALICE, CAROL]]
        assert longest(sound, 1, CAROL) == pytest.approx(heard, abs=NEAR)


async def test_who_is_on_hold_is_recorded_where_he_was_when_he_is_taken_back(firm: Firm) -> None:
    """The time of a hold is in the recording, so all after it stands where it was said."""
    talk = await dials_out(firm)
    await hear_each_other(talk.hers, talk.other)
    await talk.hers.hold()
    held = time.monotonic() - talk.hers.up_at
    await asyncio.sleep(2)
    await talk.hers.resume()
    back = time.monotonic() - talk.hers.up_at
    await hear_each_other(talk.hers, talk.other)
    await talk.hers.hang_up()
    await talk.other.over()

    sound = await recorded(firm, firm.announced()[0])
    loud = [at / 10 for at, tone in enumerate(sound.heard(0, 0.1)) if tone]
    assert sound.seconds == pytest.approx(talk.hers.over_at - talk.hers.up_at, abs=NEAR)
    assert max(at for at in loud if at < back - NEAR) == pytest.approx(held, abs=NEAR)
    assert min(at for at in loud if at > held + NEAR) == pytest.approx(back, abs=NEAR)

"""The scripted party itself: it speaks SIP well, and hears who speaks."""

from __future__ import annotations

import time
from typing import Any

import pytest_asyncio

from .party import BY_HAND, Party, Taking
from .stage import Stage, together
from .waiting import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(module_stage: Stage) -> Any:
    """(alice, bob, carrier): two phones with extensions, and a carrier."""
    stage = module_stage
    tenant, carrier = await stage.tenant(), await stage.far_party(tone=1400)
    await tenant.trunk(f"{carrier.address}:{carrier.port}", "--match", carrier.address)
    alice = await stage.party(await tenant.user("alice", "--extension", "101"), tone=440)
    bob = await stage.party(await tenant.user("bob", "--extension", "102"), tone=620)
    await tenant.number("02873010001", "alice")
    return alice, bob, carrier


async def test_two_who_talk_hear_each_other(people: Any) -> None:
    alice, bob, _ = people
    bob.taking = Taking(after=0.3)  # Asterisk need not pass on a 180 that a 200 follows at once
    talk = await alice.dial("102").up()
    taken = await bob.taken()
    await together(talk.voice.hears(bob.tone), taken.voice.hears(alice.tone))
    await talk.hang_up()
    await taken.over()
    assert (talk.ended_by, taken.ended_by, talk.alerts) == ("us", "them", [180])


async def test_a_held_one_hears_music_and_nobody(people: Any) -> None:
    alice, bob, _ = people
    talk = await alice.dial("102").up()
    taken = await bob.taken()
    await taken.voice.hears(alice.tone)
    await talk.hold()
    held, before = time.monotonic(), len(taken.voice.came)
    await until(lambda: len(taken.voice.came) >= before + 50, "a second of music")
    assert taken.voice.seconds_of(alice.tone, held + 0.2) < 0.5  # a piece may have that note, too
    await talk.resume()
    await together(talk.voice.hears(bob.tone), taken.voice.hears(alice.tone))
    await taken.hang_up()
    await talk.over()


async def test_a_carrier_calls_and_is_called(people: Any) -> None:
    alice, _, carrier = people
    inbound = await carrier.dial("02873010001", caller="0901234567", name="Somebody").up()
    answered = await alice.taken()
    assert (answered.caller_id, answered.voice.came) == ("0901234567", answered.voice.came)
    await together(inbound.voice.hears(alice.tone), answered.voice.hears(carrier.tone))
    await inbound.hang_up()
    outbound = await alice.dial("0901112222").up()
    assert (await carrier.taken("0901112222")).incoming
    await outbound.hang_up()


async def test_a_call_is_given_up_and_refused(people: Any) -> None:
    alice, bob, carrier = people
    bob.taking = BY_HAND
    call = await alice.dial("102").alerted()
    ringing = await bob.rung()
    await call.hang_up()
    await ringing.over()
    assert (call.code, ringing.code) == (487, 487)
    second = alice.dial("102")
    await (await bob.rung()).refuse(486)
    await second.over()
    assert second.code == 486
    carrier.takings["0901110183"] = Taking(after=0.6, alert=183)
    early = alice.dial("0901110183")
    await early.alerted(183)
    await early.voice.hears(carrier.tone, 0.2)
    await early.up()
    await early.hang_up()
    bob.taking = Taking()


async def test_a_blind_and_an_attended_transfer(people: Any) -> None:
    alice, bob, carrier = people
    talk = await alice.dial("102").up()
    moved = await bob.taken()
    assert (await talk.transfer("0903334444"))[-1] == 200
    far = await carrier.taken("0903334444")
    await together(moved.voice.hears(carrier.tone), far.voice.hears(bob.tone))
    await far.hang_up()
    await moved.over()
    first = await alice.dial("102").up()
    moved = await bob.taken()
    await first.hold()
    second = await alice.dial("0905556666").up()
    far = await carrier.taken("0905556666")
    assert (await first.transfer(second))[-1] == 200
    await together(moved.voice.hears(carrier.tone), far.voice.hears(bob.tone))
    await second.over()
    await moved.hang_up()
    await far.over()


async def test_nothing_went_wrong_behind_it(people: Any) -> None:
    parties: tuple[Party, ...] = people
    assert [party.odd for party in parties] == [[], [], []]

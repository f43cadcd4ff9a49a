"""Signals that come early, late, twice or never, and what is kept of them."""

from __future__ import annotations

import asyncio

import msgspec

from trunkline.engine.port import AnsweredInSip, HoldChanged, Rang
from trunkline.events.stored import StoredEvent
from work.lives import Failing, Lives, Living, codes, gapless


async def event_of(lives: Lives, name: str) -> StoredEvent:
    async with asyncio.timeout(10):
        while True:
            for event in lives.events:
                if event.name == name:
                    return event
            await asyncio.sleep(0.005)


def rang(lives: Lives) -> list[Rang]:
    return [signal for _, signal in lives.scene.signals if isinstance(signal, Rang)]


async def test_a_signal_before_its_leg_waits_for_it(living: Living) -> None:
    lives = await living("internal_nobody")
    task = asyncio.create_task(lives.log.follow_signals())
    lives.hear(rang(lives))
    await lives.one_by_one()
    assert "CHANNEL_PROGRESS" in [event.name for event in lives.events]
    task.cancel()


async def test_a_signal_after_its_leg_is_told_at_once(living: Living) -> None:
    lives = await living("internal_nobody")
    task = asyncio.create_task(lives.log.follow_signals())
    await lives.one_by_one(3)
    lives.hear(rang(lives))
    event = await event_of(lives, "CHANNEL_PROGRESS")
    assert event.subject == rang(lives)[0].leg_id
    assert gapless(lives)
    task.cancel()


async def test_the_log_waits_a_moment_for_the_ringing_before_an_answer(living: Living) -> None:
    lives = await living("outbound_answered")
    answer = [row.event for row in lives.scene.rows].index("ANSWER")
    await lives.one_by_one(answer)
    taking = asyncio.create_task(lives.take(answer + 1))
    await asyncio.sleep(0)
    lives.hear(rang(lives))
    await taking
    names = [event.name for event in lives.events]
    assert names.index("CHANNEL_PROGRESS") < names.index("CHANNEL_ANSWER")


async def test_the_log_waits_a_moment_for_the_code_of_a_refusal(living: Living) -> None:
    lives = await living("outbound_busy")
    hang_up = [row.event for row in lives.scene.rows].index("HANGUP")
    await lives.one_by_one(hang_up)
    taking = asyncio.create_task(lives.take(len(lives.scene.rows)))
    await asyncio.sleep(0.2)  # as on a busy machine
    lives.hear(codes(lives.scene))
    await taking
    ends = [msgspec.json.decode(e.body) for e in lives.events if e.name == "CHANNEL_DESTROY"]
    assert ends[0]["Hangup-Code"] == "sip:486"


async def test_a_signal_that_never_comes_holds_nothing_up(living: Living) -> None:
    lives = await living("outbound_busy")
    async with asyncio.timeout(20):
        await lives.one_by_one()
    assert [row.status_detail for row in await lives.history()] == ["BUSY"]


async def test_a_signal_of_an_unknown_leg_is_forgotten_in_time(living: Living) -> None:
    lives = await living("internal_nobody")
    lives.log.caught_up.set()
    first = rang(lives)[0]
    lives.hear([Rang("nobody", first.at - 60_000_000), first])
    assert lives.log._signals.legs() == [first.leg_id]


async def test_signals_are_kept_while_the_log_is_behind(living: Living) -> None:
    lives = await living("internal_nobody")
    first = rang(lives)[0]
    lives.hear([first, Rang("other", first.at + 60_000_000)])
    await lives.one_by_one()
    assert "CHANNEL_PROGRESS" in [event.name for event in lives.events]


async def test_a_hold_and_its_end_are_told_once_each(living: Living) -> None:
    lives = await living("held")
    task = asyncio.create_task(lives.log.follow_signals())
    await lives.one_by_one(8)
    held = [signal for _, signal in lives.scene.signals if isinstance(signal, HoldChanged)]
    lives.hear(held + held)
    await event_of(lives, "CHANNEL_UNHOLD")
    await lives.one_by_one()
    names = [event.name for event in lives.events]
    assert (names.count("CHANNEL_HOLD"), names.count("CHANNEL_UNHOLD")) == (1, 1)
    task.cancel()


async def test_what_is_kept_of_signals_is_bounded(living: Living) -> None:
    lives = await living("internal_nobody")
    lives.log.caught_up.set()
    for n in range(10_000):
        lives.log.hear(AnsweredInSip(f"leg{n}", 486))
        lives.log.hear(Rang(f"leg{n}", n * 10_000))
    assert len(lives.log._signals._codes) <= 4096
    assert len(lives.log._signals.legs()) <= 1001


async def test_a_signal_outlives_a_failing_commit(living: Living, insistent: None) -> None:
    lives = await living("internal_nobody")
    await lives.one_by_one(3)
    task = asyncio.create_task(lives.log.follow_signals())
    lives.db.calls = Failing(lives.database.calls, 2)
    lives.hear()
    await event_of(lives, "CHANNEL_PROGRESS")
    task.cancel()

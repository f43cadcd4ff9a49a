"""The call log over the real database: each event once and in order, whatever dies when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stamina

from calls.replay import Scenario, folded, scenario
from trunkline.calls import facts as f
from trunkline.calls import outcome
from trunkline.calls.record import StoredEvent, shown
from trunkline.db.port import DatabaseUnavailable
from trunkline.engine.port import AnsweredInSip, Held, Rang
from work.lives import Lives, codes, prepared

KILLED = (
    "click_answered",
    "click_device_declines",
    "internal_cancelled",
    "inbound_race",
    "held",
    "blind_transfer",
    "attended_transfer",
    "engine_dies_in_talk",
)

Living = Callable[[str], Awaitable[Lives]]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
async def living(tmp_path: Path, templates: Path) -> AsyncIterator[Living]:
    made: list[Lives] = []

    async def make(name: str) -> Lives:
        scene = scenario(name)
        lives = Lives(prepared(templates, scene), tmp_path / f"{len(made)}.db", scene)
        made.append(lives)
        if scene.requests:
            await lives.log.record(scene.requests)
        return lives

    yield make
    for lives in made:
        await lives.database.close()


@pytest.fixture
def insistent() -> Iterator[None]:
    """Retries wait for nothing."""
    stamina.set_testing(True, attempts=5)
    yield
    stamina.set_testing(False)


def told(events: list[StoredEvent]) -> list[tuple[str, str]]:
    return [(event.name, event.subject) for event in events]


def gapless(lives: Lives) -> bool:
    """Stored from 1 on without a gap, under unique message ids, and published just so."""
    events = lives.events
    ids = [msgspec.json.decode(event.body)["Msg-ID"] for event in events]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len(set(ids)) == len(ids)
    return told(lives.published) == told(events)


async def lived(lives: Lives) -> list[tuple[str, str]]:
    """A life without any accident; gives its events."""
    lives.hear()
    await lives.one_by_one()
    await lives.engine_dies()
    assert gapless(lives)
    return told(lives.events)


@pytest.mark.parametrize("name", KILLED)
async def test_a_kill_at_any_row_loses_and_doubles_nothing(name: str, living: Living) -> None:
    expected = await lived(await living(name))
    for killed_at in range(len(scenario(name).rows) + 1):
        lives = await living(name)
        lives.hear()
        await lives.one_by_one(killed_at)
        lives.begin()
        lives.hear()
        await lives.take(len(lives.scene.rows))
        await lives.engine_dies()
        assert gapless(lives)
        assert sorted(told(lives.events)) == sorted(expected)
        assert [row.call_id for row in await lives.history()] == [lives.scene.rows[0].linked_id]
        assert lives.log.live == {}


@pytest.mark.parametrize("name", KILLED)
async def test_a_kill_in_every_row_too(name: str, living: Living) -> None:
    expected = await lived(await living(name))
    lives = await living(name)
    for end in range(1, len(lives.scene.rows) + 1):
        lives.begin()
        lives.hear()
        await lives.take(end)
    await lives.engine_dies()
    assert gapless(lives)
    assert told(lives.events) == expected


async def test_the_whole_log_read_again_from_its_beginning_tells_nothing_new(living) -> None:
    for name in KILLED:
        lives = await living(name)
        expected = await lived(lives)
        lives.begin()
        await lives.log.take(_all_again(lives))
        assert told(lives.events) == expected
        assert len(await lives.history()) == 1
        assert lives.log.live == {}


def _all_again(lives: Lives) -> Any:
    from trunkline.calls.log import LogPosition
    from work.lives import Part

    return Part(lives.scene.rows, LogPosition(2, len(lives.scene.rows)))


@pytest.mark.parametrize("name", KILLED)
async def test_the_history_is_what_the_fold_gives(name: str, living: Living) -> None:
    lives = await living(name)
    await lived(lives)
    (row,) = await lives.history()
    (call,) = folded(lives.scene).calls.values()
    assert row == shown(outcome.record(call))


async def test_live_calls_are_refolded_after_a_restart(living: Living) -> None:
    for name in KILLED:
        lives = await living(name)
        lives.hear()
        for end in range(1, len(lives.scene.rows) + 1):
            await lives.take(end)
            before = dict(lives.log.live)
            assert dict(lives.begin().live) == before
            lives.hear()


# ---- A database that cannot be written -----------------------------------------------------------


class Failing:
    """Commits that fail for a time."""

    def __init__(self, calls: Any, failures: int) -> None:
        self._calls, self.left = calls, failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calls, name)

    async def commit(self, batch: Any) -> Any:
        if self.left:
            self.left -= 1
            raise DatabaseUnavailable("disk full")
        return await self._calls.commit(batch)


@pytest.mark.parametrize("name", KILLED)
async def test_a_failing_commit_is_tried_again_and_doubles_nothing(name, living, insistent):
    expected = await lived(await living(name))
    lives = await living(name)
    lives.hear()
    for end in range(1, len(lives.scene.rows) + 1):
        lives.db.calls = Failing(lives.database.calls, 2)
        await lives.take(end)
    await lives.engine_dies()
    assert gapless(lives)
    assert told(lives.events) == expected


async def test_a_record_that_fails_changes_nothing(living: Living) -> None:
    lives = await living("click_answered")
    before = dict(lives.log.live)
    lives.db.calls = Failing(lives.database.calls, 1)
    call_id = lives.scene.requests[0].call_id
    withdrawn = f.RequestWithdrawn(call_id=call_id, at=1, reason="x")
    with pytest.raises(DatabaseUnavailable):
        await lives.log.record([withdrawn])
    assert dict(lives.log.live) == before
    await lives.log.record([withdrawn])
    assert lives.log.live == {}


async def test_a_signal_outlives_a_failing_commit(living: Living, insistent: None) -> None:
    lives = await living("internal_nobody")
    await lives.one_by_one(3)
    task = asyncio.create_task(lives.log.follow_signals())
    lives.db.calls = Failing(lives.database.calls, 2)
    lives.hear()
    await event_of(lives, "CHANNEL_PROGRESS")
    task.cancel()


# ---- Signals that come early, and late -----------------------------------------------------------


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
    await asyncio.sleep(0)
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
    held = [signal for _, signal in lives.scene.signals if isinstance(signal, Held)]
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


# ---- The engine's death, and requests that never got out -------------------------------------------


async def test_the_engines_death_closes_every_call_once(living: Living) -> None:
    for name in ("engine_dies_in_talk", "engine_dies_ringing"):
        lives = await living(name)
        lives.hear()
        await lives.one_by_one()
        at = lives.scene.deaths[0].at
        await lives.log.engine_died(at)
        await lives.log.engine_died(at)
        lives.begin()
        await lives.log.engine_died(at)
        assert gapless(lives)
        assert [event.name for event in lives.events].count("CALL_ENDED") == 1
        assert len(await lives.history()) == 1


async def test_a_request_that_was_never_sent_is_withdrawn_at_the_next_start(living) -> None:
    lives = await living("click_answered")
    call_id = lives.scene.requests[0].call_id
    log = lives.begin()
    await log.settle({call_id}.__contains__)
    assert list(log.live) == [call_id]
    await log.settle(set().__contains__)
    assert (log.live, lives.events, await lives.history()) == ({}, [], [])
    assert not lives.begin().live


async def test_a_part_that_gives_no_fact_moves_the_position(living: Living) -> None:
    lives = await living("internal_nobody")
    await lives.log.take(_empty(lives, 7))
    assert lives.position == 7


def _empty(lives: Lives, end: int) -> Any:
    from trunkline.calls.log import LogPosition
    from work.lives import Part

    return Part([], LogPosition(1, end), skipped=3)


async def test_following_says_when_it_has_caught_up(living: Living) -> None:
    lives = await living("internal_nobody")

    async def parts() -> AsyncIterator[Any]:
        assert not lives.log.caught_up.is_set()
        yield _empty(lives, 1)
        assert not lives.log.caught_up.is_set()
        yield None
        assert lives.log.caught_up.is_set()
        yield _empty(lives, 2)

    await lives.log.follow(parts())
    assert not lives.log.caught_up.is_set()


def test_scenarios_used_here_exist() -> None:
    assert all(isinstance(scenario(name), Scenario) for name in KILLED)

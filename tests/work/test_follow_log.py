"""The call log over the real database: each event once and in order, whatever dies when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from calls.replay import Scenario, folded, scenario
from trunkline.calls import facts as f
from trunkline.calls import outcome
from trunkline.calls.cel import LogPosition
from trunkline.history.row import shown
from trunkline.store.ports.database import DatabaseUnavailable
from work.lives import Failing, Lives, Living, Part, gapless, told

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
        began = {row.unique_id for row in lives.scene.rows if row.unique_id == row.linked_id}
        assert {row.call_id for row in await lives.history()} == began
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
        assert len(await lives.history()) == len(folded(lives.scene).calls)
        assert lives.log.live == {}


def _all_again(lives: Lives) -> Any:
    return Part(lives.scene.rows, LogPosition(2, len(lives.scene.rows)))


@pytest.mark.parametrize("name", KILLED)
async def test_the_history_is_what_the_fold_gives(name: str, living: Living) -> None:
    lives = await living(name)
    await lived(lives)
    calls = folded(lives.scene).calls.values()
    expected = {call.id: shown(outcome.record(call)) for call in calls}
    assert {row.call_id: row for row in await lives.history()} == expected


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
    assert lives.log.refused_at > 0
    await lives.log.record([withdrawn])
    assert (lives.log.live, lives.log.refused_at) == ({}, 0)


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


async def test_a_call_whose_last_rows_were_lost_is_closed_at_its_last_sign(living) -> None:
    lives = await living("click_answered")
    joined = next(n for n, row in enumerate(lives.scene.rows) if row.event == "BRIDGE_EXIT")
    await lives.one_by_one(joined)
    (call,) = lives.log.live.values()
    legs = set(call.legs)
    assert lives.log.without_channels(legs) == set()
    assert lives.log.without_channels(set()) == {call.id}
    await lives.log.lost([call.id])
    (record,) = await lives.history()
    (ended,) = [event for event in lives.events if event.name == "CALL_ENDED"]
    last = max(row.time for row in lives.scene.rows[:joined])
    assert (record.status_detail, ended.at, gapless(lives)) == ("SUCCESS", last, True)
    assert (lives.log.live, lives.begin().live) == ({}, {})


async def test_a_request_that_was_never_sent_is_withdrawn_at_the_next_start(living) -> None:
    lives = await living("click_answered")
    call_id = lives.scene.requests[0].call_id
    log = lives.begin()
    await log.settle({call_id}.__contains__)
    assert list(log.live) == [call_id]
    await log.settle(set().__contains__)
    assert (log.live, lives.events, await lives.history()) == ({}, [], [])
    assert not lives.begin().live


async def test_parts_that_give_no_fact_are_not_committed_one_by_one(living: Living) -> None:
    lives = await living("internal_nobody")
    for end in range(1, 101):
        await lives.log.take(_empty(lives, end))
    before = lives.position
    await lives.log.take(_empty(lives, 101))
    assert (before, lives.position) == (0, 101)


def _empty(lives: Lives, end: int) -> Any:
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

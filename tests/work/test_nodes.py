"""Two nodes on one database, on each kind of it: what an engine's death closes, and what becomes one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from store.making import AT, KEY, office, started
from store.test_short_terms import place
from trunkline.bus.local import LocalBus
from trunkline.calls import facts as f
from trunkline.calls.cel import LogPosition
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node as Where
from trunkline.store.location import Location
from trunkline.store.opening import open_database
from trunkline.store.ports.database import Batch, DatabaseUnavailable
from trunkline.work.follow.close_left_calls import GONE_SECONDS, CloseLeftCalls
from trunkline.work.follow.follow_log import CallLog

__all__ = ["place"]

SECOND = 1_000_000


class Nodes:
    """An account, and its calls on any number of nodes."""

    def __init__(self, place: Location) -> None:
        self.account_id = office(place)[0].account_id
        self.database: Any = open_database(place, KEY)

    def node(self, node_id: str) -> CallLog:
        where, ids = Where("trunkline", node_id), MessageIds(lambda: AT)
        return CallLog(self.database, LocalBus(), where, lambda: AT, ids)

    async def talking(self, log: CallLog, call_id: str, bridge: str = "b") -> None:
        """A call with a leg that is up, in a bridge."""
        leg = {"call_id": call_id, "leg_id": call_id}
        await log.record(
            [
                started(call_id, self.account_id),
                f.LegAnswered(at=AT + SECOND, **leg),
                f.LegJoined(at=AT + 2 * SECOND, bridge_id=bridge, **leg),
            ],
            LogPosition(7, 1),
        )

    async def open(self, node_id: str) -> list[str]:
        return [call.call_id for call in await self.database.calls.open_calls(node_id)]

    async def history(self) -> dict[str, int]:
        """The records: call_id -> when it ended."""
        page = await self.database.calls.page(self.account_id, 0, 1 << 60, 100, 1)
        return {row.call_id: row.duration_seconds for row in page.rows}


@pytest.fixture
async def nodes(place: Location) -> AsyncIterator[Nodes]:
    made = Nodes(place)
    yield made
    await made.database.close()


async def test_an_engine_s_death_closes_its_own_calls_alone(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    await nodes.talking(one, "1")
    await nodes.talking(two, "2")
    await one.engine_died(AT + 9 * SECOND)
    assert (dict(one.live), set(two.live)) == ({}, {"2"})
    assert (await nodes.open("one"), await nodes.open("two")) == ([], ["2"])
    assert await nodes.history() == {"1": 9}
    await two.engine_died(AT + 12 * SECOND)
    assert await nodes.history() == {"1": 9, "2": 12}


async def test_calls_of_two_engines_never_become_one(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    await nodes.talking(one, "1", bridge="same")
    await nodes.talking(two, "2", bridge="same")
    assert [call.merged_into for log in (one, two) for call in log.live.values()] == [None, None]
    await nodes.talking(one, "3", bridge="same")
    assert (set(one.live), set(two.live)) == ({"1"}, {"2"})


async def test_a_node_that_starts_again_has_its_calls(nodes: Nodes) -> None:
    await nodes.talking(nodes.node("one"), "1")
    again = nodes.node("one")
    await again.load()
    assert (set(again.live), await again.position()) == ({"1"}, LogPosition(7, 1))


async def test_calls_of_no_node_go_on_with_the_one_that_starts(nodes: Nodes) -> None:
    opened = [("1", nodes.account_id, AT)]
    await nodes.database.calls.commit(Batch(facts=[started("1", nodes.account_id)], opened=opened))
    await nodes.database.calls.inherit("one")
    one = nodes.node("one")
    await one.load()
    assert (set(one.live), await nodes.open("one")) == ({"1"}, ["1"])


async def test_calls_that_a_gone_node_left_end_at_their_last_sign_of_life(nodes: Nodes) -> None:
    one, two = nodes.node("one"), nodes.node("two")
    await nodes.talking(one, "1")
    await nodes.talking(two, "2")
    await two.close_calls_of("one")
    assert (set(two.live), await nodes.open("one")) == ({"2"}, [])
    assert await nodes.history() == {"1": 2}


# ---- When a node is gone -------------------------------------------------------------------------


class Seen:
    """Says which nodes have no server, and takes down whose calls are closed."""

    def __init__(self) -> None:
        self.away: list[str] = []
        self.closed: list[str] = []
        self.now = 0.0
        self.is_there = True
        self.look = CloseLeftCalls(self, self, "me", lambda: self.now)

    async def nodes_away(self, node_id: str) -> list[str]:
        assert node_id == "me"
        if not self.is_there:
            raise DatabaseUnavailable("away")
        return self.away

    async def close_calls_of(self, node_id: str) -> None:
        self.closed.append(node_id)

    async def after(self, seconds: float) -> list[str]:
        self.now += seconds
        await self.look()
        return self.closed


async def test_a_node_is_gone_when_it_had_no_server_for_long() -> None:
    seen = Seen()
    seen.away = ["one"]
    assert await seen.after(0) == []
    seen.away = ["one", "two"]
    assert await seen.after(GONE_SECONDS - 1) == []
    assert await seen.after(1) == ["one"]


async def test_a_node_that_came_back_has_its_time_anew() -> None:
    seen = Seen()
    for away in (["one"], [], ["one"]):
        seen.away = away
        assert await seen.after(GONE_SECONDS - 1) == []
    assert await seen.after(GONE_SECONDS) == ["one"]


async def test_a_database_that_is_away_says_nothing_of_the_nodes() -> None:
    seen = Seen()
    seen.away = ["one"]
    await seen.after(0)
    seen.is_there = False
    await seen.after(GONE_SECONDS)
    seen.is_there = True
    assert await seen.after(0) == []
    assert await seen.after(GONE_SECONDS) == ["one"]

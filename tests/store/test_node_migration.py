"""Migration 0013 on filled databases: live calls and log positions are of the node that there was."""

from __future__ import annotations

import pytest

from store.test_short_terms import A, migrate, opened, place, query
from trunkline.calls.cel import LogPosition
from trunkline.store.location import Location
from trunkline.store.opening import upgrade

__all__ = ["place"]

CALLS = "SELECT call_id, account_id, opened_at FROM live_calls ORDER BY call_id"
LOGS = 'SELECT log, file_id, "offset" FROM log_positions ORDER BY log'


@pytest.fixture
def old(place: Location) -> Location:
    """An account at 0008, as the release before had it, with two live calls; no log has been read."""
    migrate(place, "0008")
    query(place, f"INSERT INTO accounts (id, name, created_at) VALUES ('{A}', 'acme', 1)")
    for number in (1, 2):
        query(place, f"INSERT INTO live_calls VALUES ('c{number}', '{A}', {number})")
    return place


def read_to(place: Location, log: str, offset: int) -> None:
    query(place, f"INSERT INTO log_positions VALUES ('{log}', 7, {offset})")


async def inherited(place: Location, node_id: str) -> tuple[list[str], LogPosition | None]:
    """What a node has once it has started."""
    upgrade(place)
    database = opened(place)
    await database.calls.inherit(node_id)
    calls = [call.call_id for call in await database.calls.open_calls(node_id)]
    position = await database.calls.position(node_id)
    await database.close()
    return calls, position


async def test_what_is_of_before_is_the_node_s_that_starts(old: Location) -> None:
    read_to(old, "cel", 100)
    assert await inherited(old, "tl1") == (["c1", "c2"], LogPosition(7, 100))


async def test_a_log_with_a_name_says_whose_the_calls_are(old: Location) -> None:
    read_to(old, "cel:tl1", 100)
    upgrade(old)
    assert query(old, "SELECT DISTINCT node_id FROM live_calls") == [("tl1",)]
    assert await inherited(old, "tl1") == (["c1", "c2"], LogPosition(7, 100))


async def test_a_position_that_came_with_a_copy_is_of_no_use_beside_the_node_s_own(
    old: Location,
) -> None:
    read_to(old, "cel", 1)
    read_to(old, "cel:tl1", 100)
    upgrade(old)
    assert query(old, "SELECT node_id FROM log_positions") == [("tl1",)]


async def test_the_way_down_gives_what_the_version_before_reads(old: Location) -> None:
    read_to(old, "cel", 100)
    calls, logs = query(old, CALLS), query(old, LOGS)
    upgrade(old)
    migrate(old, "0012")
    assert (query(old, CALLS), query(old, LOGS)) == (calls, logs)
    await inherited(old, "tl1")
    migrate(old, "0012")
    assert query(old, CALLS) == calls
    log = "cel:tl1" if isinstance(old, str) else "cel"
    assert query(old, LOGS) == [(log, 7, 100)]
    assert await inherited(old, "tl1") == (["c1", "c2"], LogPosition(7, 100))


async def test_positions_of_several_nodes_go_down_together(old: Location) -> None:
    upgrade(old)
    for node_id in ("tl1", "tl2"):
        read_to(old, node_id, int(node_id[2:]))
    migrate(old, "0012")
    expected = [("cel:tl1", 7, 1), ("cel:tl2", 7, 2)] if isinstance(old, str) else [("cel", 7, 2)]
    assert query(old, LOGS) == expected

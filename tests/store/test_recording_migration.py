"""Migration 0011 on filled databases: recordings keep what they are made of, both ways."""

from __future__ import annotations

import pytest

from store.making import record
from store.test_short_terms import A, migrate, opened, place, query
from trunkline.calls.recording_plan import Composed, WholeFile
from trunkline.store.location import Location
from trunkline.store.opening import upgrade
from trunkline.store.ports.database import Batch

__all__ = ["place"]

STATES = ("expected", "done", "failed")
SINCE = {"expected": "pending", "done": "ready", "failed": "failed"}
SEEN = "SELECT name, call_id, raw, state, bytes, created_at FROM recordings ORDER BY name"


@pytest.fixture
def old(place: Location) -> Location:
    """An account at 0010 with a recording in each state, and one whose files are to go."""
    migrate(place, "0010")
    query(place, f"INSERT INTO accounts (id, name, created_at) VALUES ('{A}', 'acme', 1)")
    for number, state in enumerate(STATES):
        query(
            place,
            "INSERT INTO recordings (name, account_id, call_id, raw, state, bytes, created_at) VALUES"
            f" ('call_recording_r{number}.mp3', '{A}', 'c{number}', 'r{number}', '{state}', 7, {number})",
        )
    query(
        place,
        "INSERT INTO recording_removals (name, account_id, call_id, raw, not_before)"
        f" VALUES ('call_recording_gone.mp3', '{A}', 'c9', 'gone', 0)",
    )
    return place


async def test_recordings_of_before_are_made_of_the_one_file_that_they_had(old: Location) -> None:
    upgrade(old)
    database = opened(old)
    for number, state in enumerate(STATES):
        (found,) = await database.recordings.of_raw(f"r{number}")
        assert (found.id, found.name, found.state) == (
            f"r{number}",
            f"call_recording_r{number}.mp3",
            SINCE[state],
        )
        assert (found.kind, found.plan) == ("call", WholeFile(f"r{number}"))
    (removal,) = await database.retention.removals(1, "", 9)
    assert removal.raws == ("gone",)
    await database.close()


async def test_the_way_down_gives_what_was_before(old: Location) -> None:
    before = query(old, SEEN)
    upgrade(old)
    migrate(old, "0010")
    assert query(old, SEEN) == before
    assert query(old, "SELECT raw FROM recording_removals") == [("gone",)]
    upgrade(old)
    assert len(query(old, "SELECT raw, recording_id FROM recording_files")) == len(STATES)


async def test_one_made_of_many_files_is_looked_for_under_its_id_on_the_way_down(
    old: Location,
) -> None:
    upgrade(old)
    plan = Composed(length=1, parts=(), files=("x1", "x2"), spent=("x1",))
    database = opened(old)
    call = record("x1", A, recording="call_recording_x1.mp3")
    await database.calls.commit(Batch(finished=[call], plans={call.call_id: plan}))
    found = [await database.recordings.of_raw(raw) for raw in plan.files]
    await database.close()
    migrate(old, "0010")
    assert [each.plan for (each,) in found] == [plan, plan]
    assert query(old, "SELECT raw FROM recordings WHERE state = 'expected' ORDER BY raw") == [
        ("r0",),
        ("x1",),
    ]

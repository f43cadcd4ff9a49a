"""What every database promises of finding, following and marking calls (``store/ports/history.py``)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from store.making import AT, KEY, record
from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord
from trunkline.store.location import Location
from trunkline.store.opening import core_engine, open_database
from trunkline.store.ports.database import Batch, Database
from trunkline.store.ports.history import (
    MOST_TAGS,
    NEWEST,
    CallFilter,
    CallKey,
    CallRow,
    Marks,
    TooManyTags,
)
from trunkline.store.postgres.finding import PostgresFinder
from trunkline.store.sqlite.finding import SqliteFinder

SECOND = 1_000_000


def change(place: Location, *statements: str) -> None:
    """Change the database behind everybody's back."""
    engine = core_engine(place)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


NOT_INDEXED = "INSERT INTO meta VALUES ('calls_indexed_to', '[\"\",0,\"\"]')"


def many(account_id: str, n: int) -> list[CallRecord]:
    """Calls of all kinds, many of which start at the same time."""
    chance = random.Random(7)
    return [
        record(
            f"{chance.getrandbits(64):016x}",
            account_id,
            AT + chance.randrange(n // 3) * SECOND,
            caller=Party(f"an{k % 7}", username=f"an{k % 7}", name=f"An the {k % 7}th"),
            callee=Party(f"0{chance.randrange(300):03}", name=chance.choice(["", "Bình", "Cuc"])),
            status_detail=chance.choice(["SUCCESS", "BUSY", "CANCELLED"]),
            duration_seconds=chance.randrange(100),
            billing_seconds=chance.randrange(50),
            recording=f"call_recording_{k}.mp3" if k % 3 == 0 else "",
            did_number=chance.choice([None, "+84281", "+84282"]),
            trunk=chance.choice([None, "trunk-a", "trunk-b"]),
            client_ref=f"ref-{k % 50}" if k % 2 else None,
        )
        for k in range(n)
    ]


async def read_all(
    database: Database, account_id: str, wanted: CallFilter, limit: int
) -> list[str]:
    after: CallKey | None = NEWEST
    read: list[CallRow] = []
    while after is not None:
        found = await database.history.find(account_id, wanted, after, limit)
        assert len(found.rows) <= limit
        assert found.rest is None or found.rest < after  # it always moves on
        read += found.rows
        after = found.rest
    assert read == sorted(read, key=lambda row: row.key, reverse=True)
    return [row.call_id for row in read]


FILTERS: dict[str, tuple[CallFilter, Any]] = {
    "all": (CallFilter(), lambda r: True),
    "time": (
        CallFilter(start=AT + 50 * SECOND, end=AT + 90 * SECOND),
        lambda r: AT + 50 * SECOND <= r.started_at < AT + 90 * SECOND,
    ),
    "user": (CallFilter(user="AN3"), lambda r: r.caller.username == "an3"),
    "user in time": (
        CallFilter(user="an3", start=AT + 50 * SECOND),
        lambda r: r.caller.username == "an3" and r.started_at >= AT + 50 * SECOND,
    ),
    "number": (CallFilter(number="0-0 77"), lambda r: r.callee.number == "0077"),
    "prefix": (CallFilter(number="001*"), lambda r: r.callee.number.startswith("001")),
    "prefix of many": (CallFilter(number="0*"), lambda r: True),
    "both sides": (CallFilter(text="0"), lambda r: True),
    "two lookups": (
        CallFilter(user="an1", did="84281"),
        lambda r: (r.caller.username, r.did_number) == ("an1", "+84281"),
    ),
    "trunk": (CallFilter(trunk="b"), lambda r: r.trunk == "trunk-b"),
    "reference": (CallFilter(client_ref="REF-7"), lambda r: r.client_ref == "ref-7"),
    "text": (
        CallFilter(text="binh the"),
        lambda r: r.callee.name == "Bình",
    ),
    "status": (
        CallFilter(statuses=("BUSY", "CANCELLED")),
        lambda r: r.status_detail in ("BUSY", "CANCELLED"),
    ),
    "nobody": (CallFilter(statuses=("IVR",)), lambda r: False),
    "numbers": (
        CallFilter(duration=(10, 20), billing=(5, 40)),
        lambda r: 10 <= r.duration_seconds <= 20 and 5 <= r.billing_seconds <= 40,
    ),
    "recorded": (
        CallFilter(has_recording=True, user="an2"),
        lambda r: r.recording != "" and r.caller.username == "an2",
    ),
}


@pytest.mark.parametrize("indexed", [True, False])
async def test_every_filter_finds_just_what_it_says(
    database: Any,
    account_id: str,
    place: Location,
    indexed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for finder in (SqliteFinder, PostgresFinder):
        monkeypatch.setattr(finder, "most_terms", 100)
        monkeypatch.setattr(finder, "chunks", (7, 30, 90))  # many pages
    calls = many(account_id, 700)
    await database.calls.commit(Batch(finished=calls))
    if not indexed:
        forget_index(place)
    for name, (wanted, holds) in FILTERS.items():
        expected = {call.call_id for call in calls if holds(call)}
        for limit in (13, 1000):
            found = await read_all(database, account_id, wanted, limit)
            assert set(found) == expected, name
            assert len(found) == len(expected), name
        assert await follow_all(database, account_id, wanted, 17) == expected, name
    assert await read_all(database, "f" * 32, CallFilter(), 10) == []


async def follow_all(
    database: Database, account_id: str, wanted: CallFilter, limit: int
) -> set[str]:
    after, more, read = 0, True, []
    while more:
        found = await database.history.changed(account_id, wanted, after, limit)
        assert len(found.rows) <= limit
        assert found.upto > after or not found.more
        read += [row.call_id for row in found.rows]
        after, more = found.upto, found.more
    assert len(read) == len(set(read))
    return set(read)


def forget_index(place: Location) -> None:
    """What a database of before the index is like, but for the order of changes."""
    change(place, "DELETE FROM call_terms", NOT_INDEXED)


async def test_the_total_is_exact(database: Database, account_id: str) -> None:
    calls = many(account_id, 300)
    await database.calls.commit(Batch(finished=calls))
    for low, high in ((0, 1), (3, 50), (17, 99), (0, 10_000)):
        start, end = AT + low * SECOND, AT + high * SECOND
        expected = sum(start <= call.started_at < end for call in calls)
        assert await database.history.total(account_id, start, end) == expected
    whole = CallFilter()
    assert await database.history.total(account_id, whole.start, whole.end) == 300


async def test_a_change_moves_a_call_to_the_end(database: Database, account_id: str) -> None:
    calls = many(account_id, 10)
    await database.calls.commit(Batch(finished=calls))
    first = await database.history.changed(account_id, CallFilter(), 0, 100)
    marked = await database.history.mark(account_id, calls[3].call_id, Marks(note="x"), AT)
    assert marked is not None
    then = await database.history.changed(account_id, CallFilter(), first.upto, 100)
    assert [row.call_id for row in then.rows] == [calls[3].call_id]
    assert then.rows[0] == marked
    again = await database.history.changed(account_id, CallFilter(), 0, 100)
    assert len(again.rows) == 10


async def test_the_same_call_twice_is_no_change(database: Database, account_id: str) -> None:
    call = record("c1", account_id)
    await database.calls.commit(Batch(finished=[call]))
    before = await database.history.changed(account_id, CallFilter(), 0, 10)
    await database.calls.commit(Batch(finished=[call]))
    after = await database.history.changed(account_id, CallFilter(), 0, 10)
    assert after == before


async def test_marks(database: Database, account_id: str) -> None:
    await database.calls.commit(Batch(finished=[record("c1", account_id)]))
    history = database.history
    assert await history.mark(account_id, "none", Marks(note="x"), AT) is None
    assert await history.mark("f" * 32, "c1", Marks(note="x"), AT) is None
    await history.mark(account_id, "c1", Marks(note="Gọi lại", add_tags=("vip", "a b")), AT)
    for wanted in (CallFilter(tag="VIP"), CallFilter(text="goi a")):
        assert await read_all(database, account_id, wanted, 10) == ["c1"]
    row = await history.mark(account_id, "c1", Marks(remove_tags=("vip",), note="an"), AT)
    assert row is not None
    assert (row.note, row.tags) == ("an", ("a b",))
    assert await read_all(database, account_id, CallFilter(tag="vip"), 10) == []
    assert await read_all(database, account_id, CallFilter(text="an"), 10) == ["c1"]
    tags = tuple(f"t{n}" for n in range(MOST_TAGS + 1))
    with pytest.raises(TooManyTags):
        await history.mark(account_id, "c1", Marks(tags=tags), AT)


async def test_calls_of_before_are_indexed_in_steps(
    database: Any, account_id: str, place: Location
) -> None:
    calls = many(account_id, 250)
    await database.calls.commit(Batch(finished=calls[:200]))

    change(
        place,
        *(f"DELETE FROM {table}" for table in ("call_terms", "call_updates")),
        "UPDATE calls SET update_seq = 0",
        NOT_INDEXED,
    )
    assert await database.history.index(70) == 70
    await database.calls.commit(Batch(finished=calls[200:]))  # meanwhile
    marked = await database.history.mark(account_id, calls[7].call_id, Marks(note="soon"), AT)
    assert marked is not None
    assert await read_all(database, account_id, CallFilter(user="an1"), 10)
    other = open_database(place, KEY)  # another process goes on
    while await other.history.index(70):
        pass
    await other.close()
    everything = {call.call_id for call in calls}
    assert await follow_all(database, account_id, CallFilter(), 30) == everything
    for name, (wanted, holds) in FILTERS.items():
        expected = {call.call_id for call in calls if holds(call)}
        assert set(await read_all(database, account_id, wanted, 50)) == expected, name
    assert await read_all(database, account_id, CallFilter(text="soon"), 10) == [calls[7].call_id]
    assert await database.history.index(70) == 0

"""What is kept beside the calls, compared with them and made anew, on both databases (``db/checking``)."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sa

from store.making import AT, KEY, office, record
from trunkline.calls.facts import Party
from trunkline.history.sums import DAY, QUARTER
from trunkline.store.check import Difference, terms
from trunkline.store.location import Location
from trunkline.store.opening import check, core_engine, open_database
from trunkline.store.ports.database import Batch, DatabaseUnavailable
from trunkline.store.ports.history import NEWEST, CallFilter, Marks

T0 = AT // DAY * DAY
STEP = QUARTER // 3


@pytest.fixture
async def filled(place: Location) -> str:
    """Calls of three days, some of which start at once, one of them with a note; and of before 1970."""
    account_id = office(place)[0].account_id
    database = open_database(place, KEY)
    chance = random.Random(5)
    calls = [
        record(
            f"c{k}",
            account_id,
            (T0 if k % 9 else -5 * DAY) + chance.randrange(3) * DAY + chance.randrange(40) * STEP,
            callee=Party(f"09{k:03}", name=f"Customer {k % 9}"),
            status_detail=chance.choice(["SUCCESS", "BUSY"]),
            did_number=chance.choice([None, "+8428"]),
            trunk=chance.choice([None, "trunk-1"]),
        )
        for k in range(90)
    ]
    await database.calls.commit(Batch(finished=calls))
    await database.history.mark(account_id, "c7", Marks(note="call again", tags=("vip",)), AT)
    await database.close()
    return account_id


def change(place: Location, *statements: str) -> None:
    engine = core_engine(place)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def look(place: Location, repair: bool = False) -> list[Difference]:
    return list(check(place, repair))


def mended(place: Location) -> list[Difference]:
    """What is wrong, and is so no more."""
    found = look(place)
    assert look(place, repair=True) == found
    assert look(place) == []
    return found


def test_all_that_was_written_is_right(place: Location, filled: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(terms, "STEP", 7)
    assert look(place) == []
    assert look(place, repair=True) == []


def test_wrong_counts_are_made_anew(place: Location, filled: str) -> None:
    minute = f"(SELECT min(bucket) FROM call_counts_minute WHERE bucket > {T0 // 60_000_000})"
    change(
        place,
        f"UPDATE call_counts_minute SET n = n + 3 WHERE bucket = {minute}",
        "DELETE FROM call_counts_hour WHERE bucket < 0",
        "INSERT INTO call_counts_day (account_id, bucket, n) VALUES ('ghost', -3, 7)",
    )
    found = mended(place)
    assert {each.width for each in found} == {"minute", "hour", "day"}
    assert Difference("ghost", "calls", "day", -3 * DAY, 7, 0) in found


def test_wrong_sums_are_made_anew(place: Location, filled: str) -> None:
    at = f"(SELECT min(bucket) FROM call_stats WHERE width = 900 AND bucket > {T0 // QUARTER})"
    change(
        place,
        f"UPDATE call_stats SET talk_seconds = talk_seconds + 5 WHERE width = 900 AND bucket = {at}",
        "UPDATE call_stats SET answered = answered - 1 WHERE width = 86400 AND dimension = 'user'",
        "DELETE FROM call_stats WHERE width = 10800 AND dimension = 'did'",
        "DELETE FROM call_stats WHERE width = 900 AND dimension = 'trunk'",
    )
    found = mended(place)
    assert {each.width for each in found} == {"quarter", "3 hours", "day"}
    assert {each.account_id for each in found} == {filled}
    assert "talk_seconds of user an" in {each.of for each in found}
    assert "calls of trunk trunk-1" in {each.of for each in found}


def test_sums_of_deleted_calls_stay(place: Location, filled: str) -> None:
    day = f"started_at >= {T0} AND started_at < {T0 + DAY}"
    change(
        place,
        f"DELETE FROM calls WHERE {day} AND duration_seconds = 9",
        f"DELETE FROM call_counts_minute WHERE bucket >= {T0 // 60_000_000}"
        f" AND bucket < {(T0 + DAY) // 60_000_000}",
        f"DELETE FROM call_counts_hour WHERE bucket >= {T0 * 24 // DAY}"
        f" AND bucket < {(T0 + DAY) * 24 // DAY}",
        f"DELETE FROM call_counts_day WHERE bucket = {T0 // DAY}",
    )
    assert look(place) == []
    change(place, f"UPDATE call_stats SET calls = 0 WHERE width = 86400 AND bucket = {T0 // DAY}")
    assert {(each.width, each.starts_at) for each in mended(place)} == {("day", T0)}


async def test_calls_are_made_findable_again(
    place: Location, filled: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(terms, "STEP", 7)
    change(
        place,
        "DELETE FROM call_terms WHERE term LIKE 'n:09%' OR term = 'g:vip'",
        "DELETE FROM call_updates WHERE seq BETWEEN 20 AND 30",
    )
    found = mended(place)
    assert {each.width for each in found} == {"call"}
    assert sum(each.of.startswith("terms of") for each in found) == 90
    assert sum(each.of.startswith("last change of") for each in found) == 11
    database = open_database(place, KEY)
    for wanted in (CallFilter(number="09007"), CallFilter(tag="vip")):
        page = await database.history.find(filled, wanted, NEWEST, 10)
        assert [row.call_id for row in page.rows] == ["c7"]
    followed = await database.history.changed(filled, CallFilter(), 0, 200)
    assert len(followed.rows) == 90
    await database.close()


async def test_what_is_not_taken_in_yet_is_not_missing(place: Location, filled: str) -> None:
    change(
        place,
        "DELETE FROM call_stats",
        "DELETE FROM call_terms",
        "DELETE FROM call_updates",
        "UPDATE calls SET update_seq = 0",
        "INSERT INTO call_stats_marks SELECT id, 4611686018427387904 FROM accounts",
        "INSERT INTO meta (key, value) VALUES ('calls_indexed_to', '[\"\",0,\"\"]')",
    )
    assert look(place) == []
    database = open_database(place, KEY)
    while await database.statistics.count_older(17):
        assert look(place) == []
    while await database.history.index(30):
        pass
    await database.close()
    assert look(place) == []


def test_a_database_that_is_away_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        look("postgresql://trunkline:hush-hush@127.0.0.1:1/nothing")
    assert "hush-hush" not in str(refused.value)

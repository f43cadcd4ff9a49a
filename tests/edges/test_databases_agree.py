"""Both databases give the same answers about the same calls: found, followed, annotated, summed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from store.making import AT, KEY, announcement, office, record, started
from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord
from trunkline.history.sums import DAY, QUARTER, TooManyPoints
from trunkline.store import postgres, sqlite
from trunkline.store.ports.database import Batch
from trunkline.store.ports.history import NEWEST, CallFilter, Marks, TooManyTags
from trunkline.store.postgres.finding import PostgresFinder
from trunkline.store.sqlite.connect import connect_writer
from trunkline.store.sqlite.finding import SqliteFinder

GROUPS = ("none", "user", "did", "trunk", "class", "direction", "status")
T0 = AT // DAY * DAY


class Pair:
    """The two, with an account of the same calls in each."""

    def __init__(self, path: Path, url: str) -> None:
        self.places = (path, url)
        self.accounts = [office(place)[0].account_id for place in self.places]
        self.both: list[Any] = [sqlite.open_database(path, KEY), postgres.open_database(url, KEY)]
        self.calls: list[str] = []

    async def write(self, values: list[dict[str, Any]]) -> None:
        for account_id, database in zip(self.accounts, self.both, strict=True):
            records = [record(account_id=account_id, **each) for each in values]
            for at in range(0, len(records), 50):
                await database.calls.commit(Batch(finished=records[at : at + 50]))
        self.calls += [each["call_id"] for each in values]

    async def ask(self, part: str, method: str, *given: Any) -> Any:
        """The answer that both give; SQLite's, where they differ, is what is expected."""
        answers = []
        for account_id, database in zip(self.accounts, self.both, strict=True):
            answer = await getattr(getattr(database, part), method)(account_id, *given)
            answers.append(self.plain(answer, account_id))
        assert answers[1] == answers[0]
        return answer

    @staticmethod
    def plain(answer: Any, account_id: str) -> Any:
        """As JSON, without what must differ: PostgreSQL knows no NUL."""
        encoded = msgspec.json.encode(answer, order="sorted")
        return encoded.replace(account_id.encode(), b"A").replace(rb"\u0000", b"")


@pytest.fixture
async def pair(tmp_path: Path, postgres_url: str) -> AsyncIterator[Pair]:
    pair = Pair(tmp_path / "trunkline.db", postgres_url)
    yield pair
    for database in pair.both:
        await database.close()


def some_calls(count: int, chance: random.Random) -> list[dict[str, Any]]:
    names = ["Nguyễn Văn An", "Ân/é", "An Bình", "", "Đức", "O'Neil"]
    users = [Party(f"u{n}", username=f"u{n}", name=names[n % 6]) for n in range(5)]
    outside = [Party(f"+84 90{n}12", name=chance.choice(names)) for n in range(30)]
    return [
        {
            "call_id": f"c-{n:04}" if n % 3 else f"C{n}",
            "started_at": T0 + chance.randrange(0, 40 * DAY, 3_600_000_000),
            "caller": chance.choice(users + outside),
            "callee": chance.choice(users + outside),
            "class_": chance.choice(["one_one", "trunking"]),
            "direction": chance.choice(["from_ab", "to_ab"]),
            "status_detail": chance.choice(["SUCCESS", "BUSY", "UNSUCCESS", "CANCELLED"]),
            "did_number": chance.choice([None, "+8428", "1900"]),
            "trunk": chance.choice([None, "trunk-1", "trunk-2"]),
            "client_ref": chance.choice([None, f"crm-{n % 9}", "a\0b"]),
            "duration_seconds": chance.randrange(500),
            "billing_seconds": chance.randrange(300),
            "ringing_seconds": chance.choice([0, 5]),
            "recording": f"call_recording_r{n}.mp3" if n % 4 == 0 else "",
        }
        for n in range(count)
    ]


def a_filter(chance: random.Random) -> CallFilter:
    asked: dict[str, Any] = {
        "start": T0 + chance.randrange(20) * DAY,
        "end": T0 + chance.randrange(10, 45) * DAY + 1,
        "text": chance.choice(["an", "nguyen van", "đức", "84901", "+84 90", "nobody", "u1 an"]),
        "number": chance.choice(["+84901*", "84 90112", "u1", "8*"]),
        "did": chance.choice(["8428", "19*"]),
        "user": chance.choice(["u1", "U2", "x"]),
        "trunk": chance.choice(["1", "trunk-2"]),
        "tag": chance.choice(["vip", "none"]),
        "client_ref": chance.choice(["CRM-3", "ab"]),
        "call_id": chance.choice(["c-0001", "C3", "no\0ne", ""]),
        "class_": chance.choice(["one_one", "trunking"]),
        "direction": chance.choice(["from_ab", "to_ab"]),
        "statuses": chance.choice([("SUCCESS",), ("BUSY", "UNSUCCESS")]),
        "duration": (chance.randrange(200), chance.randrange(200, 500)),
        "billing": (0, chance.randrange(300)),
        "has_recording": chance.choice([True, False]),
    }
    chosen = chance.sample(sorted(asked), chance.choice([0, 1, 1, 2, 2, 3]))
    return CallFilter(**{name: asked[name] for name in chosen})


async def test_the_same_calls_are_found_and_followed(pair):
    chance = random.Random(7)
    await pair.write(some_calls(300, chance))
    found_any = 0
    for _ in range(120):
        wanted, limit = a_filter(chance), chance.choice([1, 7, 50, 400])
        after, pages = NEWEST, 0
        while after is not None and pages < 8:
            found = await pair.ask("history", "find", wanted, after, limit)
            after, pages = found.rest, pages + 1
            found_any += len(found.rows)
        await pair.ask("history", "changed", wanted, chance.randrange(200), limit)
        await pair.ask("history", "total", wanted.start, wanted.end)
    assert found_any > 1000


async def test_notes_and_tags_are_found_and_followed(pair):
    chance = random.Random(8)
    await pair.write(some_calls(60, chance))
    words = ["vip", "Gọi lại", "late", "x" * 80]
    for n in range(80):
        marks = chance.choice(
            [
                Marks(note=chance.choice(words)),
                Marks(add_tags=(chance.choice(words), "vip")),
                Marks(tags=()),
                Marks(remove_tags=("vip",), note="a\0b"),
            ]
        )
        await pair.ask(
            "history", "mark", chance.choice([*pair.calls, "none", "n\0"]), marks, AT + n
        )
    for wanted in (CallFilter(tag="vip"), CallFilter(text="goi"), CallFilter(text="vip late")):
        await pair.ask("history", "find", wanted, NEWEST, 100)
    followed = await pair.ask("history", "changed", CallFilter(), 0, 1000)
    assert len(followed.rows) == 60
    for account_id, database in zip(pair.accounts, pair.both, strict=True):
        many = Marks(tags=tuple(f"t{n}" for n in range(21)))
        with pytest.raises(TooManyTags):
            await database.history.mark(account_id, pair.calls[0], many, AT)


async def test_calls_that_started_at_once_are_told_apart(pair, monkeypatch):
    for finder in (SqliteFinder, PostgresFinder):
        monkeypatch.setattr(finder, "chunks", (5, 20, 60))
    chance = random.Random(12)
    calls = some_calls(240, chance)
    for n, call in enumerate(calls):
        call["started_at"] = T0 + (0 if n % 4 else chance.randrange(9) * QUARTER)
    await pair.write(calls)
    for name, value in (("user", "u3"), ("number", "84901*"), ("trunk", "1"), ("text", "an u2")):
        wanted, after, found = CallFilter(**{name: value}), NEWEST, []
        while after is not None:
            page = await pair.ask("history", "find", wanted, after, chance.choice([1, 2, 9]))
            found += [row.call_id for row in page.rows]
            after = page.rest
        lookups = wanted.lookups()
        everything = await pair.ask("history", "changed", CallFilter(), 0, 1000)
        terms = {row.call_id: row.terms() for row in everything.rows}
        expected = {id_ for id_ in terms if all(one.holds(terms[id_]) for one in lookups)}
        assert len(found) == len(expected) > 3
        assert set(found) == expected


async def test_a_tag_that_one_call_loses_stays_with_another_of_that_moment(pair):
    same = [{"call_id": f"c{n}", "started_at": T0} for n in range(3)]
    await pair.write(same)
    for call_id in ("c0", "c1"):
        await pair.ask("history", "mark", call_id, Marks(add_tags=("vip",)), AT)
    for call_id, left in (("c0", ["c1"]), ("c1", [])):
        await pair.ask("history", "mark", call_id, Marks(remove_tags=("vip",)), AT)
        found = await pair.ask("history", "find", CallFilter(tag="vip"), NEWEST, 10)
        assert [row.call_id for row in found.rows] == left
    with psycopg.connect(pair.places[1]) as connection:
        left = connection.execute("SELECT count(*) FROM call_terms WHERE term = 'g:vip'")
        assert left.fetchone() == (0,)


async def test_all_that_is_kept_of_a_call_is_the_same(pair):
    await pair.write(some_calls(5, random.Random(9)))
    for account_id, database in zip(pair.accounts, pair.both, strict=True):
        live = started("live", account_id)
        told = announcement(account_id, call_id=pair.calls[0])
        await database.calls.commit(Batch(facts=[live], announcements=[told, told]))
        await database.recordings.claim("call_recording_r0.mp3", "w", 10, 20)
        await database.recordings.claim("call_recording_r4.mp3", "w", 10, 20)
        await database.recordings.failed("call_recording_r0.mp3", "w", "no", told)
        await database.recordings.done("call_recording_r4.mp3", "w", 5, 1.5, told)
    for call_id in (*pair.calls, "live", "none", "n\0"):
        await pair.ask("history", "whole", call_id, 10, 10)
    changed = await pair.ask("history", "changed", CallFilter(), 0, 100)
    assert [row.recording for row in changed.rows if row.call_id in ("C0", "c-0004")] == [
        "",
        "call_recording_r4.mp3",
    ]


async def test_the_same_sums_are_kept(pair):
    chance = random.Random(10)
    await pair.write(some_calls(200, chance))
    for _ in range(30):
        cuts = sorted({T0 + chance.randrange(-10, 45 * 96) * QUARTER for _ in range(5)})
        for group in GROUPS:
            await pair.ask("statistics", "summed", group, cuts, 10_000)
    for account_id, database in zip(pair.accounts, pair.both, strict=True):
        assert (await database.statistics.summed(account_id, "user", [T0, T0 + 40 * DAY], 5)).series
        with pytest.raises(TooManyPoints):
            await database.statistics.summed(account_id, "user", [T0, T0 + 40 * DAY], 4)
    await pair.ask("statistics", "summed", "none", [T0 + n * DAY for n in range(40)], 10_000)


AS_BEFORE = [
    "DELETE FROM call_stats",
    "DELETE FROM call_terms",
    "DELETE FROM call_updates",
    "UPDATE calls SET update_seq = 0",
    "UPDATE accounts SET last_update = 0",
    "INSERT INTO call_stats_marks SELECT id, 4611686018427387904 FROM accounts",
    "INSERT INTO meta (key, value) VALUES ('calls_indexed_to', '[\"\",0,\"\"]')",
]


async def test_calls_of_an_older_schema_are_taken_in_the_same_way(pair):
    chance = random.Random(11)
    calls = some_calls(120, chance)
    await pair.write(calls[:100])
    with psycopg.connect(pair.places[1]) as connection:
        for statement in AS_BEFORE:
            connection.execute(statement)
    file = connect_writer(pair.places[0])
    for statement in AS_BEFORE:
        file.execute(statement)
    file.close()
    await pair.write(calls[100:])
    await pair.ask("history", "mark", pair.calls[0], Marks(note="early"), AT)
    for database in pair.both:
        while await database.history.index(30):
            pass
        while await database.statistics.count_older(17):
            pass
    for _ in range(30):
        await pair.ask("history", "find", a_filter(chance), NEWEST, 20)
    await pair.ask("statistics", "summed", "user", [T0, T0 + 10 * DAY, T0 + 40 * DAY], 10_000)
    followed = await pair.ask("history", "changed", CallFilter(), 0, 1000)
    assert len(followed.rows) == 120


def test_a_record_has_no_more_than_what_is_compared() -> None:
    assert set(some_calls(1, random.Random(1))[0]) <= set(CallRecord.__struct_fields__)

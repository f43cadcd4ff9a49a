"""What every database promises of looking at what happened (``store/ports/archive.py``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from store.making import AT, KEY, announcement, ended, record, requested, started
from trunkline.store import location as locations
from trunkline.store import opening
from trunkline.store.location import Location
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.opening import open_archive, open_database
from trunkline.store.ports.archive import Account, Archive, RecordingRow, StoppedWebhook
from trunkline.store.ports.database import Batch, DatabaseUnavailable, DatabaseUnusable
from trunkline.store.ports.history import NEWEST, CallFilter
from trunkline.store.ports.sip_messages import NOTHING
from trunkline.store.ports.webhooks import WebhookToAdd
from trunkline.work.manage import entries
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.trunks import create_trunk

QUARTER = 900_000_000
Write = Callable[[Callable[[Any], Awaitable[Any]]], Any]


@pytest.fixture
def write(place: Location) -> Write:
    """As a server would, which is not seen to be another process."""

    async def run(work: Callable[[Any], Awaitable[Any]]) -> Any:
        database = open_database(place, KEY)
        try:
            return await work(database)
        finally:
            await database.close()

    return lambda work: asyncio.run(run(work))


@pytest.fixture
def archive(place: Location, account_id: str) -> Iterator[Archive]:
    with closing(open_archive(place)) as opened:
        yield opened


def test_accounts_come_by_name_with_their_newest_number(
    place: Location, archive: Archive, account_id: str, write: Write
) -> None:
    with ManagedDirectory(place, KEY).transaction() as directory:
        others = [create_account(directory, name).account_id for name in ("Zoo", "a-b", "ab")]
    write(lambda db: db.events.append([announcement(account_id, n) for n in range(3)]))
    assert archive.accounts() == [
        Account(others[0], "Zoo", "UTC", 0),
        Account(others[1], "a-b", "UTC", 0),
        Account(others[2], "ab", "UTC", 0),
        Account(account_id, "acme", "UTC", 3),
    ]


def test_live_calls_are_folded_from_their_facts(
    archive: Archive, account_id: str, write: Write
) -> None:
    opened = [("c1", account_id, AT + 1), ("c0", account_id, AT), ("c2", "other", AT)]
    facts = [
        requested("c1", account_id), started("c1", account_id), started("c0", account_id),
        started("c2", "other"),
    ]  # fmt: skip
    write(lambda db: db.calls.commit(Batch(facts=facts, opened=opened)))
    assert [call.id for call in archive.live(account_id)] == ["c0", "c1"]
    assert {call.id for call in archive.live()} == {"c0", "c1", "c2"}
    assert archive.facts("c1") == facts[:2]
    call = archive.call("c1")
    assert call is not None
    assert (call.dialled, list(call.legs)) == ("0287", ["c1"])
    assert (archive.call("nothing"), archive.facts("nothing\0")) == (None, [])
    write(lambda db: db.calls.commit(Batch(facts=[ended("c1")], closed=["c1"])))
    assert [call.id for call in archive.live(account_id)] == ["c0"]


def test_finished_calls_are_paged_found_counted_and_summed(
    archive: Archive, account_id: str, write: Write
) -> None:
    calls = [record(f"c{n}", account_id, AT + n) for n in range(5)]
    write(lambda db: db.calls.commit(Batch(finished=[*calls, record("x", "other")])))
    page = archive.page(account_id, AT, AT + 5, 2, 2)
    assert (page.total, [row.call_id for row in page.rows]) == (5, ["c2", "c1"])
    found = archive.find(account_id, CallFilter(start=AT + 1), NEWEST, 3)
    assert [row.call_id for row in found.rows] == ["c4", "c3", "c2"]
    assert found.rest is not None
    rest = archive.find(account_id, CallFilter(start=AT + 1), found.rest, 3)
    assert ([row.call_id for row in rest.rows], rest.rest) == (["c1"], None)
    assert archive.total(account_id, AT + 1, AT + 9) == 4
    first = AT // QUARTER * QUARTER
    summed = archive.statistics(account_id, "none", [first, first + QUARTER], 10)
    assert (summed.totals.calls, summed.totals.talk_seconds) == (5, 30)


def test_a_record_has_every_column(archive: Archive, account_id: str, write: Write) -> None:
    write(lambda db: db.calls.commit(Batch(finished=[record("c1", account_id, trunk="trunk-1")])))
    found = archive.record("c1")
    assert found is not None
    assert (found["id"], found["account_id"], found["started_at"]) == ("c1", account_id, AT)
    assert (found["class"], found["caller_user_id"], found["trunk"]) == (
        "trunking",
        "u" * 32,
        "trunk-1",
    )
    assert not found["engine_died"]
    assert archive.record("c2") is None


def test_events_are_read_by_number_and_by_call(
    archive: Archive, account_id: str, write: Write
) -> None:
    said = [announcement(account_id, n, call_id=f"c{n % 2}") for n in range(6)]
    stored = write(lambda db: db.events.append(said))
    assert archive.bounds(account_id) == (1, 6)
    assert archive.events(account_id, 2, 3) == stored[2:5]
    assert archive.call_events(account_id, "c1", 0, 1 << 62) == stored[1::2]
    assert archive.call_events(account_id, "c1", 2, 1) == [stored[3]]
    assert (archive.events("nobody", 0, 9), archive.bounds("nobody")) == ([], (1, 0))


def test_recordings_come_with_the_newest_calls(
    archive: Archive, account_id: str, write: Write
) -> None:
    calls = [record(f"c{n}", account_id, AT + n, recording=f"call_recording_c{n}.mp3")
             for n in (2, 0, 1)]  # fmt: skip
    write(lambda db: db.calls.commit(Batch(finished=[*calls, record("c3", account_id, AT + 3)])))
    assert [row.call_id for row in archive.recordings(account_id, 2)] == ["c2", "c1"]
    name = "call_recording_c1.mp3"
    wanted = RecordingRow(name, account_id, "c1", "pending", 0, 0.0, "", calls[2].ended_at)
    assert [archive.recording(each) for each in (name, "c1")] == [wanted, wanted]
    assert [archive.recording(each) for each in ("c3", "nothing", "\0", "")] == [None] * 4


def test_trunks_and_stopped_webhooks(
    place: Location, archive: Archive, account_id: str, write: Write
) -> None:
    with ManagedDirectory(place, KEY).transaction() as directory:
        [account] = directory.all(entries.AccountEntry)
        trunk = create_trunk(directory, account, "carrier", "127.0.0.1:5060")
    assert archive.trunk_names() == {f"trunk-{trunk.trunk_id}": "carrier"}
    assert archive.stopped_webhooks() == []
    new = WebhookToAdd(
        id="w1", account_id=account_id, url="https://a.example/", description="", events=("#",),
        secret="secret", after=None, now=AT,
    )  # fmt: skip
    assert write(lambda db: db.webhooks.add(new, 9))
    assert archive.stopped_webhooks() == []
    engine = opening.core_engine(place)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE webhooks SET state = 'suspended', reason = 'silent'")
    engine.dispose()
    assert archive.stopped_webhooks() == [StoppedWebhook("w1", "acme", "suspended", "silent")]


def test_sip_messages_of_a_call(archive: Archive, account_id: str) -> None:
    assert archive.sip_messages(account_id, ["c", "\0"], 10) == NOTHING


def test_what_it_reads_is_as_new_as_the_question(
    archive: Archive, account_id: str, write: Write
) -> None:
    for n in range(3):
        assert archive.bounds(account_id)[1] == n
        write(lambda db: db.events.append([announcement(account_id)]))


def test_another_schema_is_refused(place: Location, account_id: str) -> None:
    for revision, says in (("0001", "of an older Trunkline"), ("9999", "of a newer Trunkline")):
        engine = opening.core_engine(place)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        engine.dispose()
        with pytest.raises(DatabaseUnusable, match=says):
            open_archive(place)
        assert locations.exists(place)


# ---- PostgreSQL's own ---------------------------------------------------------------------------


def test_an_empty_database_has_nothing(cluster: Any) -> None:
    name = cluster.create()
    url = cluster.url(name)
    try:
        assert not locations.exists(url)
        with pytest.raises(
            DatabaseUnusable, match="there is nothing of Trunkline in postgresql://"
        ):
            open_archive(url)
    finally:
        cluster.drop(name)


def test_no_part_of_a_url_that_cannot_be_read_is_told() -> None:
    for url in (
        "postgresql://u:s3cr%zzet@h/n",
        "postgresql://u:s3/cret@h/n",
        "postgresql://u:s3?cret@h/n",
        "postgresql://u:s3#cret@h:x/n",
    ):
        with pytest.raises(DatabaseUnavailable) as raised:
            locations.exists(url)
        for part in ("s3", "cr%zz", "cret"):
            assert part not in str(raised.value)
            assert part not in locations.shown(url)

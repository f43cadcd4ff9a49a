"""What every database promises of deleting what has expired (``store/ports/retention.py``)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest

from store.agreeing import everything_agrees, query
from store.making import AT, KEY, announcement, ended, office, record, requested, started
from trunkline.calls.recording_plan import Composed
from trunkline.delivery.webhook import outgoing
from trunkline.directory.entries import AccountEntry
from trunkline.directory.rules import DirectoryRefused
from trunkline.sip.message import SipMessage, SipPart
from trunkline.store import postgres
from trunkline.store.location import Location
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.opening import open_database
from trunkline.store.ports.apps import Claimed
from trunkline.store.ports.database import Batch
from trunkline.store.ports.history import NEWEST, CallFilter, Marks
from trunkline.store.ports.retention import KINDS, KeepDays, Kind
from trunkline.store.ports.webhooks import DeliveryFilter, WebhookToAdd
from trunkline.work.manage import entries, retention
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.webhooks import ManageWebhooks
from trunkline.work.refused import Refused

DAY = 86_400_000_000
MINUTE = 60_000_000
Change = Callable[[Callable[..., Any]], Any]


@pytest.fixture
async def database(place: Location) -> AsyncIterator[Any]:
    opened: Any = open_database(place, KEY)
    opened.place = place
    yield opened
    everything_agrees(place)
    await opened.close()


@pytest.fixture
def change(place: Location) -> Change:
    def run(work: Callable[..., Any]) -> Any:
        with ManagedDirectory(place, KEY).transaction() as directory:
            return work(directory)

    return run


async def read(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def delete(database: Any, account_id: str, kind: Kind, before: int, limit: int = 7) -> int:
    """All steps; gives how many rows went, which is what was announced."""
    due = await database.retention.due(account_id, kind, before)
    after, deleted, steps = None, 0, 0
    while True:
        step = await database.retention.delete(account_id, kind, before, after, limit, AT)
        deleted, after, steps = deleted + step.rows, step.after, steps + 1
        assert step.rows <= limit
        assert steps < 1000
        if after is None:
            assert deleted == due
            return deleted


def recorded(n: int, account_id: str, at: int) -> Any:
    return record(f"c{n}", account_id, at, recording=f"call_recording_c{n}.mp3", client_ref=f"r{n}")


async def made(database: Any, account_id: str, days: range) -> list[str]:
    """A recorded call a day, two in each minute at the same time, with facts, events, a delivery."""
    calls = [recorded(n, account_id, AT + n // 2 * DAY) for n in days]
    await database.calls.commit(
        Batch(
            finished=calls,
            facts=[
                fact
                for call in calls
                for fact in (
                    started(call.call_id, account_id, call.started_at),
                    ended(call.call_id, call.started_at),
                )
            ],
            announcements=[
                announcement(account_id, n, call.started_at, call_id=call.call_id)
                for call in calls
                for n in range(3)
            ],
        )
    )
    return [call.call_id for call in calls]


async def left(database: Any, account_id: str, **wanted: Any) -> list[str]:
    found = await database.history.find(account_id, CallFilter(**wanted), NEWEST, 1000)
    return sorted(row.call_id for row in found.rows)


async def test_a_call_goes_with_all_that_is_its_own(database, place, account_id):
    calls = await made(database, account_id, range(40))
    await database.history.mark(account_id, "c3", Marks(note="hello", tags=("vip",)), AT)
    assert await delete(database, account_id, "calls", AT + 10 * DAY) == 20
    assert await left(database, account_id) == sorted(calls[20:])
    assert await database.history.total(account_id, 0, 1 << 61) == 20
    page = await database.calls.page(account_id, 0, 1 << 61, 100, 1)
    assert (page.total, len(page.rows)) == (20, 20)
    assert (await database.history.whole(account_id, "c3", 10, 10)).row is None
    assert (await database.history.whole(account_id, "c3", 10, 10)).facts == ()
    assert await read(database.calls.facts("c3")) == []
    assert len(await read(database.calls.facts("c20"))) == 2
    assert await read(database.recordings.any_account("call_recording_c3.mp3")) is None
    assert await left(database, account_id, tag="vip") == []
    followed = await database.history.changed(account_id, CallFilter(), 0, 1000)
    assert len(followed.rows) == 20
    assert await delete(database, account_id, "calls", AT + 10 * DAY) == 0
    assert len(await database.retention.removals(AT, "", 1000)) == 20


async def test_statistics_outlive_calls(database, account_id):
    await made(database, account_id, range(20))
    quarter = 900_000_000
    cuts = [AT // quarter * quarter, (AT + 100 * DAY) // quarter * quarter]
    before = await database.statistics.summed(account_id, "user", cuts, 100)
    await delete(database, account_id, "calls", AT + 99 * DAY)
    assert await database.statistics.summed(account_id, "user", cuts, 100) == before
    assert before.totals.calls == 20


async def test_calls_that_are_not_counted_yet_wait_for_that(database, place, account_id):
    await made(database, account_id, range(10))
    query(
        place,
        f"INSERT INTO call_stats_marks (account_id, counted_from) VALUES ('{account_id}', {AT + 2 * DAY})",
    )
    assert await delete(database, account_id, "calls", AT + 4 * DAY) == 4
    while await database.statistics.count_older(100):
        pass
    assert await delete(database, account_id, "calls", AT + 4 * DAY) == 4


async def test_a_call_on_hold_stays_with_all_that_is_its_own(database, account_id):
    await made(database, account_id, range(12))
    row = await database.history.mark(account_id, "c2", Marks(hold=True), AT)
    assert row.hold
    assert await database.history.mark(account_id, "c2", Marks(hold=True), AT) == row
    assert await left(database, account_id, hold=True) == ["c2"]
    assert len(await left(database, account_id, hold=False)) == 11
    late = AT + 99 * DAY
    for kind in KINDS:
        await delete(database, account_id, kind, late)
    old, due, last = await database.retention.facts_due(late, 0, 1000)
    assert (old, due) == (2, 0)
    assert await database.retention.delete_facts(late, 0, last) == 0
    whole = await database.history.whole(account_id, "c2", 10, 10)
    assert (whole.row, len(whole.facts), len(whole.events)) == (row, 2, 3)
    assert whole.recording.name == "call_recording_c2.mp3"
    assert [event.call_id for event in await read(database.events.of_call(account_id, "c2", 0, 9))] == ["c2"] * 3  # fmt: skip
    # the log begins after all that is gone from it, and has no gap
    assert await read(database.events.bounds(account_id)) == (37, 36)
    assert await read(database.events.after(account_id, 0, 100)) == []
    (event,) = await database.events.append([announcement(account_id)])
    assert [e.seq for e in await read(database.events.after(account_id, 0, 9))] == [event.seq]


async def test_a_released_call_goes(database, account_id):
    await made(database, account_id, range(4))
    await database.history.mark(account_id, "c0", Marks(hold=True), AT)
    await delete(database, account_id, "events", AT + 99 * DAY)
    row = await database.history.mark(account_id, "c0", Marks(hold=False), AT)
    assert not row.hold
    assert await read(database.events.of_call(account_id, "c0", 0, 9)) == []
    assert await delete(database, account_id, "calls", AT + 99 * DAY) == 4


async def test_holding_is_a_change_of_the_call(database, account_id):
    await made(database, account_id, range(4))
    upto = (await database.history.changed(account_id, CallFilter(), 0, 100)).upto
    await database.history.mark(account_id, "c1", Marks(hold=True), AT)
    then = await database.history.changed(account_id, CallFilter(), upto, 100)
    assert [(row.call_id, row.hold) for row in then.rows] == [("c1", True)]


async def test_of_an_account_on_hold_nothing_goes(database, change, account_id):
    other = change(lambda d: create_account(d, "other")).account_id
    await made(database, account_id, range(6))
    await database.calls.commit(
        Batch(facts=[requested("asked", account_id), requested("asked too", other)])
    )
    account = change(lambda d: entries.find(d, AccountEntry, account_id))
    change(lambda d: retention.hold(d, account, "case 7", AT))
    late = AT + 99 * DAY
    for kind in KINDS:
        assert await delete(database, account_id, kind, late) == 0
    old, due, last = await database.retention.facts_due(late, 0, 1000)
    assert (old, due) == (14, 1)
    assert await database.retention.delete_facts(late, 0, last) == 1
    assert len(await read(database.calls.facts("asked"))) == 1
    assert await read(database.calls.facts("asked too")) == []
    held = change(lambda d: entries.find(d, AccountEntry, account_id))
    assert (held.held_at, held.hold_reason) == (AT, "case 7")
    with pytest.raises(DirectoryRefused, match=r"on hold \(case 7\)"):
        change(lambda d: entries.delete(d, AccountEntry, held))
    change(lambda d: retention.release(d, held))
    assert await delete(database, account_id, "calls", late) == 6


async def test_a_recording_goes_and_its_call_stays(database, account_id):
    await made(database, account_id, range(6))
    upto = (await database.history.changed(account_id, CallFilter(), 0, 100)).upto
    assert await delete(database, account_id, "recordings", AT + DAY + MINUTE, 1) == 4
    then = await database.history.changed(account_id, CallFilter(), upto, 100)
    assert [(row.call_id, row.recording) for row in then.rows] == [(f"c{n}", "") for n in range(4)]
    assert await left(database, account_id, has_recording=True) == ["c4", "c5"]
    name = "call_recording_c0.mp3"
    assert await read(database.recordings.by_name(account_id, name)) is None
    assert (await database.history.whole(account_id, "c0", 1, 1)).recording is None
    found = await database.retention.removals(AT, "", 2)
    assert [(each.name, each.raws) for each in found] == [
        (f"call_recording_c{n}.mp3", (f"c{n}",)) for n in range(2)
    ]
    await database.retention.removed([each.name for each in found])
    assert len(await database.retention.removals(AT, "", 9)) == 2


def made_of(*files: str) -> Composed:
    return Composed(length=1, parts=(), files=files, spent=files)


@pytest.mark.parametrize("kind", ["calls", "recordings"])
async def test_raw_audio_that_another_recording_is_still_to_be_made_of_stays(
    database, account_id, kind
):
    plans = {"c0": made_of("x", "y"), "c1": made_of("y", "z")}
    calls = [
        record(id_, account_id, AT + n * DAY, recording=f"call_recording_{id_}.mp3")
        for n, id_ in enumerate(plans)
    ]
    await database.calls.commit(Batch(finished=calls, plans=plans))
    await delete(database, account_id, kind, AT + MINUTE)
    assert [each.raws for each in await database.retention.removals(AT, "", 9)] == [("x",)]
    assert [each.call_id for each in await read(database.recordings.of_raw("y"))] == ["c1"]
    await delete(database, account_id, kind, AT + DAY + MINUTE)
    removals = await database.retention.removals(AT, "", 9)
    assert [sorted(each.raws) for each in removals] == [["x"], ["y", "z"]]


async def test_what_a_worker_makes_is_removed_after_its_lease(database, account_id):
    await made(database, account_id, range(2))
    name = "call_recording_c0.mp3"
    assert await database.recordings.claim(name, "w", AT, AT + 100) is not None
    await delete(database, account_id, "calls", AT + 9 * DAY)
    assert [each.raws for each in await database.retention.removals(AT + 99, "", 9)] == [("c1",)]
    removals = await database.retention.removals(AT + 100, "", 9)
    assert [each.raws for each in removals] == [("c0",), ("c1",)]
    ready = announcement(account_id, call_id="c0")
    assert await database.recordings.done(name, "w", 1, 1.0, ready) is None
    assert await database.recordings.failed(name, "w", "x", ready) is None


async def test_what_webhooks_had_stays_while_it_is_held(database, change, account_id):
    await made(database, account_id, range(4))
    new = WebhookToAdd(
        id="w", account_id=account_id, url="https://example.com/", description="", events=(),
        secret="whsec_" + "A" * 43 + "=", after=0, now=AT,
    )  # fmt: skip
    webhook = await database.webhooks.add(new, 20)
    told = await read(database.events.after(account_id, 0, 99))
    await database.deliveries.examined("w", 0, 12, [outgoing(event) for event in told], AT)
    query(database.place, "UPDATE webhook_deliveries SET state = 'delivered' WHERE seq <> 12")
    await database.history.mark(account_id, "c1", Marks(hold=True), AT)
    manager = ManageWebhooks(database, None, b"", None)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="legal hold"):
        await manager.delete(webhook)
    assert await delete(database, account_id, "deliveries", AT) == 0
    assert await delete(database, account_id, "deliveries", AT + 1) == 8
    kept = await database.deliveries.deliveries("w", DeliveryFilter(), 1 << 62, 99)
    assert [(each.seq, each.state) for each in kept] == [(12, "pending")] + [
        (seq, "delivered") for seq in (6, 5, 4)
    ]
    await database.history.mark(account_id, "c1", Marks(hold=False), AT)
    account = change(lambda d: entries.find(d, AccountEntry, account_id))
    change(lambda d: retention.hold(d, account, "case 7", AT))
    assert not await database.webhooks.delete("w")


async def test_old_events_go_from_the_logs_beginning(database, account_id):
    old, young = AT, AT + 2 * DAY
    await database.events.append([announcement(account_id, n, old) for n in range(30)])
    await database.events.append([announcement(account_id, 0, young)])
    await database.events.append([announcement(account_id, 0, old)])
    assert await delete(database, account_id, "events", AT + DAY) == 30
    assert await read(database.events.bounds(account_id)) == (31, 32)
    assert await delete(database, account_id, "events", AT + DAY) == 0
    assert await delete(database, account_id, "events", AT + 9 * DAY) == 2
    assert await read(database.events.bounds(account_id)) == (33, 32)
    (event,) = await database.events.append([announcement(account_id)])
    assert event.seq == 33


async def test_facts_of_live_calls_stay(database, account_id):
    await database.calls.commit(
        Batch(
            facts=[started(f"over{n}", account_id, AT) for n in range(11)]
            + [requested("live", account_id, AT), started("young", account_id, AT + DAY)],
            opened=[("live", account_id, AT)],
        )
    )
    assert await database.retention.facts_due(AT + 1, 0, 20) == (12, 11, 13)
    assert await database.retention.delete_facts(AT + 1, 0, 5) == 5
    assert await database.retention.delete_facts(AT + 1, 5, 13) == 6
    assert await read(database.calls.facts("over0")) == []
    assert len(await read(database.calls.facts("live"))) == 1
    assert len(await read(database.calls.facts("young"))) == 1


async def test_keys_and_tokens_that_ran_out_go(database, account_id):
    assert await database.requests.claim("app", "k1", "f", "c", 0, AT) == Claimed()
    assert await database.requests.claim("app", "k2", "f", "c", 0, AT + 1) == Claimed()
    await database.tokens.add("t", "app", account_id, AT)
    assert await database.retention.delete_spent(AT, 10) == 2
    assert await database.retention.delete_spent(AT, 10) == 0


async def test_limits_of_accounts(database, change, account_id):
    account = change(lambda d: entries.find(d, AccountEntry, account_id))
    kept = {"calls": "365", "events": "forever", "recordings": "30"}
    change(lambda d: retention.keep(d, account, kept))
    assert await database.retention.limits() == [KeepDays(account_id, "acme", False, 365, 0, 30)]
    change(lambda d: retention.keep(d, account, {"recordings": "default"}))
    change(lambda d: retention.hold(d, account, "case 7", AT))
    assert await database.retention.limits() == [KeepDays(account_id, "acme", True, 365, 0, None)]


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1.5", "36501", "٣"])
def test_what_is_no_time_is_refused(place, change, account_id, text):
    account = change(lambda d: entries.find(d, AccountEntry, account_id))
    with pytest.raises(DirectoryRefused, match=r"take days .at least 1., forever, or default"):
        change(lambda d: retention.keep(d, account, {"events": text}))


def test_a_recording_cannot_outlive_its_call(place, change, account_id):
    account = change(lambda d: entries.find(d, AccountEntry, account_id))
    with pytest.raises(DirectoryRefused, match="goes with its call's record"):
        change(lambda d: retention.keep(d, account, {"calls": "30", "recordings": "31"}))
    with pytest.raises(DirectoryRefused, match="say why"):
        change(lambda d: retention.hold(d, account, " ", AT))
    with pytest.raises(DirectoryRefused, match="not on hold"):
        change(lambda d: retention.release(d, account))


async def test_whose_a_call_is(database, account_id):
    await made(database, account_id, range(1))
    assert await database.retention.account_of("c0") == account_id
    assert await database.retention.account_of("none\0") is None


async def test_a_hold_under_way_is_waited_for(postgres_url):
    """PostgreSQL alone: SQLite lets one writer in at a time."""
    account_id = office(postgres_url)[0].account_id
    database = postgres.open_database(postgres_url, KEY)
    await made(database, account_id, range(2))
    text = SipMessage(
        leg_id="", at=AT, sent=True, source="", destination="", transport="udp", method="BYE",
        status=None, reason="", cseq="", text="",
    )  # fmt: skip
    part = SipPart(account_id=account_id, call_id="c0", stored_at=AT, messages=(text,))
    await database.sip_messages.add([part])
    late = AT + 9 * DAY
    with psycopg.connect(postgres_url) as holding:
        holding.execute("SELECT 1 FROM accounts FOR NO KEY UPDATE")
        holding.execute("INSERT INTO call_holds VALUES ('c0', %s, %s, %s)", (account_id, AT, AT))
        running = [
            asyncio.ensure_future(database.retention.delete_facts(late, 0, 99)),
            asyncio.ensure_future(database.sip_messages.prune(late)),
        ]
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while len(query(postgres_url, waiting)) < len(running):
            assert not any(each.done() for each in running)
            await asyncio.sleep(0.01)
    assert await asyncio.gather(*running) == [2, 0]
    assert len(await read(database.calls.facts("c0"))) == 2
    await database.close()

"""What every database promises about webhooks (``store/ports/webhooks.py``), on each implementation."""

from __future__ import annotations

from typing import Any

import pytest

from db.expiring import delete_expired
from db.making import AT, KEY, announcement, office
from edges.stored import everything_stored
from trunkline.delivery.verdict import Verdict
from trunkline.delivery.webhook import (
    Attempt,
    Delivery,
    Outgoing,
    Webhook,
    outgoing_gap,
    outgoing_test,
)
from trunkline.events.stored import Announcement
from trunkline.store.ports.database import Database
from trunkline.store.ports.webhooks import Backlog, DeliveryFilter, WebhookToAdd
from trunkline.store.secrets import InstallationKey, KeyUnusable
from trunkline.work.manage import manage_directory as manage
from trunkline.work.upkeep.delete_expired import DAY

NEWEST = 1 << 62
SECRET = "whsec_" + "A" * 43 + "="


def new(account_id: str, id_: str = "w1", **changes: Any) -> WebhookToAdd:
    values: dict[str, Any] = {
        "id": id_, "account_id": account_id, "url": "https://example.com/", "description": "",
        "events": (), "secret": SECRET, "after": None, "now": AT,
    }  # fmt: skip
    return WebhookToAdd(**{**values, **changes})


@pytest.fixture
async def webhook(database: Database, account_id: str) -> Webhook:
    made = await database.webhooks.add(new(account_id), 20)
    assert made is not None
    return made


def out(seq: int, lane: str = "c1", **more: Any) -> Outgoing:
    values = {"name": "CALL_ENDED", "kind": "event", "call_id": lane, **more}
    return Outgoing(seq=seq, lane=lane, **values)


def verdict(state: Any = "delivered", **more: Any) -> Any:
    return lambda *_: Verdict(state=state, step=more.pop("step", 1), **more)


def never(*_: Any) -> Announcement:
    raise AssertionError


async def end(
    database: Any, delivery: Delivery, decide: Any = None, announce: Any = never, **came: Any
) -> Any:
    attempt = Attempt(**{"at": AT + 5, "total_ms": 1.0, "status": 200, **came})
    return await database.deliveries.concluded(delivery.id, attempt, decide or verdict(), announce)


async def due(database: Any, now: int = AT) -> list[int]:
    return [each.seq for each in (await database.deliveries.due("w1", now, 100))]


# ---- Endpoints -----------------------------------------------------------------------------------


async def test_an_endpoint_starts_at_the_newest_number_or_after_another(database, account_id):
    await database.events.append([announcement(account_id, n) for n in range(7)])
    here = await database.webhooks.add(new(account_id), 20)
    there = await database.webhooks.add(new(account_id, "w2", after=3, events=("a.b", "c")), 20)
    assert (here.cursor, there.cursor, there.events) == (7, 3, ("a.b", "c"))
    assert (here.state, here.reason, here.failing_since, here.failures) == ("enabled", "", None, 0)
    assert (
        (await database.webhooks.get("w1"))
        == (await database.webhooks.get("w1", account_id))
        == here
    )
    assert (await database.webhooks.get("w1", "another")) is None
    assert (await database.webhooks.get("w9")) is None


async def test_the_same_id_again_is_what_is_there(database, account_id, webhook):
    again = await database.webhooks.add(new(account_id, url="https://other.example/"), 1)
    assert again == webhook


async def test_an_account_has_no_more_than_it_may(database, account_id, webhook):
    assert await database.webhooks.add(new(account_id, "w2"), 1) is None
    assert await database.webhooks.add(new("no account", "w3"), 1) is None


async def test_lists_go_on_where_they_ended(database, account_id, place):
    other = office(place, "other", "o1")[0].account_id
    for n in range(5):
        await database.webhooks.add(
            new(account_id if n % 2 else other, f"w{n}", now=AT + n // 2), 20
        )

    async def listed(*wanted: Any) -> list[str]:
        return [each.id for each in await database.webhooks.listed(*wanted)]

    assert await listed(None, (0, ""), 100) == ["w0", "w1", "w2", "w3", "w4"]
    assert await listed(account_id, (0, ""), 1) == ["w1"]
    assert await listed(account_id, (AT, "w1"), 100) == ["w3"]
    assert await listed(None, (AT + 1, "w2"), 2) == ["w3", "w4"]


async def test_only_enabled_ones_of_enabled_accounts_are_active(
    database, account_id, webhook, place
):
    from trunkline.store.directory import AccountEntry, ManagedDirectory

    assert (await database.webhooks.active(account_id)) == [webhook]
    assert (await database.webhooks.active_accounts()) == {account_id}
    with ManagedDirectory(place, KEY).transaction() as directory:
        account = manage.find(directory, AccountEntry, account_id)
        manage.switch(directory, AccountEntry, account, False)
    assert (
        (await database.webhooks.active(account_id)),
        (await database.webhooks.active_accounts()),
    ) == (
        [],
        set(),
    )


async def test_secrets_are_encrypted_and_the_one_before_signs_for_a_time(database, webhook, place):
    assert (await database.webhooks.secrets("w1", AT)) == (SECRET,)
    rotated = await database.webhooks.rotate("w1", "whsec_new", AT + 1, AT + 9)
    assert rotated.previous_until == AT + 9
    assert await database.webhooks.rotate("w1", "whsec_new", AT + 2, AT + 99) == rotated
    assert (await database.webhooks.secrets("w1", AT + 8)) == ("whsec_new", SECRET)
    assert (await database.webhooks.secrets("w1", AT + 9)) == ("whsec_new",)
    assert (await database.webhooks.secrets("w9", AT)) == ()
    assert SECRET.encode() not in everything_stored(place)
    assert SECRET not in repr(new("a"))
    database.webhooks._key = InstallationKey(b"x" * 32)
    with pytest.raises(KeyUnusable):
        await database.webhooks.secrets("w1", AT)


async def test_what_is_given_is_changed(database, webhook):
    changed = await database.webhooks.change("w1", AT + 1, url="https://b.example/")
    assert (changed.url, changed.description, changed.changed_at) == (
        "https://b.example/",
        "",
        AT + 1,
    )
    changed = await database.webhooks.change("w1", AT + 2, events=("x",), description="d")
    assert (changed.url, changed.description, changed.events) == ("https://b.example/", "d", ("x",))
    assert (await database.webhooks.change("w1", AT + 3, events=())).events == ()
    assert await database.webhooks.change("w9", AT) is None


async def test_deleting_takes_all_along(database, account_id, webhook, tmp_path):
    await database.deliveries.examined("w1", 0, 2, [out(1), out(2)], AT)
    (delivery,) = await database.deliveries.due("w1", AT, 9)
    await end(database, delivery)
    assert await database.webhooks.delete("w1") is True
    assert await database.webhooks.delete("w1") is False
    assert (await database.deliveries.delivery("w1", delivery.id)) is None
    assert (await database.deliveries.attempts(delivery.id)) == []
    assert await end(database, delivery) is None


# ---- Deliveries ----------------------------------------------------------------------------------


async def test_the_cursor_and_its_deliveries_go_together(database, account_id, webhook):
    examined = database.deliveries.examined
    assert await examined("w1", 0, 3, [out(1), out(3, "c2")], AT) is True
    assert await examined("w1", 0, 3, [out(1), out(3, "c2")], AT) is False
    assert ((await due(database)), (await database.webhooks.get("w1")).cursor) == ([1, 3], 3)
    await database.webhooks.disable("w1", "", AT)
    assert await examined("w1", 3, 4, [out(4, "c3")], AT) is False
    assert ((await due(database)), (await database.webhooks.get("w1")).cursor) == ([1, 3], 3)


async def test_only_the_first_of_a_lane_is_due(database, webhook):
    await database.deliveries.examined("w1", 0, 3, [out(1), out(2), out(3, "c2")], AT)
    await database.deliveries.queue("w1", [out(1, kind="replay")], AT)
    assert (await due(database)) == [1, 3]
    for expected in ([3, 2], [3, 1], [3]):
        first = next(
            each
            for each in (await database.deliveries.due("w1", AT + 9999, 9))
            if each.lane == "c1"
        )
        await end(database, first)
        assert (await due(database, AT + 9999)) == expected


async def test_a_delivery_that_is_tried_later_holds_its_lane(database, webhook):
    await database.deliveries.examined("w1", 0, 2, [out(1), out(2)], AT)
    (first,) = await database.deliveries.due("w1", AT, 9)
    await end(database, first, verdict("pending", next_at=AT + 50), status=500)
    assert ((await due(database, AT + 49)), (await due(database, AT + 50))) == ([], [1])
    assert (await database.deliveries.next_at("w1", AT)) == AT + 50
    assert (await database.deliveries.next_at("w1", AT + 50)) is None
    (again,) = await database.deliveries.due("w1", AT + 50, 9)
    assert (again.attempts, again.step, again.first_at, again.last_status) == (1, 1, AT + 5, 500)
    await end(database, again, verdict("failed"), status=500)
    assert (await due(database, AT + 9999)) == [2]
    ended = await database.deliveries.delivery("w1", first.id)
    assert (ended.state, ended.attempts, ended.next_at, ended.done_at) == (
        "failed",
        2,
        None,
        AT + 1005,
    )


async def test_attempts_are_kept_as_they_were(database, webhook):
    await database.deliveries.examined("w1", 0, 1, [out(1)], AT)
    (delivery,) = await database.deliveries.due("w1", AT, 9)
    first = Attempt(at=AT, total_ms=15000.5, error="it took over 15 s", address="192.0.2.1")
    second = Attempt(
        at=AT + 9, resolve_ms=0.5, connect_ms=1.5, tls_ms=2.5, first_byte_ms=3.5, total_ms=9.0,
        address="192.0.2.1", status=200, answer=b"\x00ok",
    )  # fmt: skip
    for attempt, state in ((first, "pending"), (second, "delivered")):
        await database.deliveries.concluded(
            delivery.id, attempt, verdict(state, next_at=AT if state == "pending" else None), never
        )
    assert (await database.deliveries.attempts(delivery.id)) == [first, second]


async def test_what_is_done_stays_so(database, webhook):
    await database.deliveries.examined("w1", 0, 1, [out(1)], AT)
    (delivery,) = await database.deliveries.due("w1", AT, 9)
    assert (await end(database, delivery)).verdict.state == "delivered"
    assert await end(database, delivery, never) is None
    assert len(await database.deliveries.attempts(delivery.id)) == 1
    assert await database.deliveries.retry(delivery.id, AT) is False


async def test_an_endpoint_remembers_since_when_it_fails(database, webhook):
    await database.deliveries.examined("w1", 0, 3, [out(1, "a"), out(2, "b"), out(3, "c")], AT)
    one, two, three = await database.deliveries.due("w1", AT, 9)
    await end(database, one, verdict("pending", next_at=AT + 10**9, not_before=AT + 7), status=500)
    await end(
        database, two, verdict("pending", next_at=AT + 10**9), at=AT + 6, error="x", status=None
    )
    failing = await database.webhooks.get("w1")
    assert (failing.failing_since, failing.failures, failing.not_before) == (AT + 5, 2, AT + 7)
    seen = []

    def decide(webhook: Webhook, delivery: Delivery) -> Verdict:
        seen.append((webhook, delivery))
        return Verdict(state="delivered", step=0)

    await end(database, three, decide, at=AT + 8)
    assert seen == [(failing, three)]
    well = await database.webhooks.get("w1")
    assert (well.failing_since, well.failures) == (None, 0)
    # What was tried in vain while it failed is due now, what failed before that is not.
    assert sorted(await due(database, AT + 1008)) == [1, 2]
    again = await database.deliveries.due("w1", AT + 1008, 9)
    await end(database, again[0], verdict("pending", next_at=AT + 10**9), at=AT + 2000, status=500)
    await end(database, again[1], at=AT + 3000)
    assert (await due(database, AT + 10**8)) == []


async def test_a_stop_is_one_event_in_the_same_transaction(database, account_id, webhook):
    await database.deliveries.examined("w1", 0, 2, [out(1), out(2, "c2")], AT)
    one, two = await database.deliveries.due("w1", AT, 9)
    stop = verdict("pending", next_at=AT, stop="suspended", reason="why")
    told = []

    def announce(*said: Any) -> Announcement:
        told.append(said)
        return announcement(account_id)

    concluded = await end(database, one, stop, announce, status=500)
    assert concluded.event.seq == 1
    assert (await database.events.bounds(account_id)) == (1, 1)
    ((stopped, judged, taken),) = told
    assert (stopped.id, judged.reason, taken) == ("w1", "why", 0)
    suspended = await database.webhooks.get("w1")
    assert (suspended.state, suspended.reason) == ("suspended", "why")
    assert (await database.webhooks.active(account_id)) == []
    assert (await database.deliveries.backlog()) == Backlog(0, None, 1)
    assert (await end(database, two, stop, never, status=500)).event is None


async def test_enabling_gives_what_waits_a_fresh_schedule(database, webhook):
    await database.deliveries.examined("w1", 0, 2, [out(1), out(2)], AT)
    (one,) = await database.deliveries.due("w1", AT, 9)
    await end(database, one, verdict("pending", next_at=AT + 10**9, step=9), status=500)
    await database.webhooks.disable("w1", "by hand", AT + 10)
    enabled = await database.webhooks.enable("w1", AT + 20)
    assert (enabled.state, enabled.reason, enabled.failures) == ("enabled", "", 0)
    (again,) = await database.deliveries.due("w1", AT + 20, 9)
    assert (again.seq, again.step, again.first_at, again.attempts) == (1, 0, None, 1)
    assert await database.webhooks.enable("w1", AT + 30) == enabled


async def test_what_is_lost_becomes_one_gap(database, webhook):
    await database.deliveries.examined(
        "w1", 0, 9, [out(3), out(5), out(7), out(4, "c2"), outgoing_gap(1, 2)], AT
    )
    assert await database.deliveries.lost("w1", 6, AT + 1) is True
    pending = [
        (each.seq, each.gap_from, each.lane)
        for each in (await database.deliveries.due("w1", AT + 1, 9))
    ]
    assert pending == [(2, 1, "account:GAP"), (7, None, "c1")]
    assert await database.deliveries.lost("w1", 6, AT + 2) is False
    every = await database.deliveries.deliveries("w1", DeliveryFilter(), NEWEST, 99)
    assert [(each.seq, each.state) for each in every] == [
        (5, "pending"), (2, "pending"), (4, "failed"), (7, "pending"), (5, "failed"), (3, "failed"),
    ]  # fmt: skip
    assert (every[0].kind, every[0].gap_from, every[0].next_at) == ("gap", 3, None)


async def test_a_pending_one_is_tried_at_once_when_asked(database, webhook):
    await database.deliveries.examined("w1", 0, 2, [out(1), out(2)], AT)
    (one,) = await database.deliveries.due("w1", AT, 9)
    await end(database, one, verdict("pending", next_at=AT + 10**9, step=4), status=500)
    every = await database.deliveries.deliveries("w1", DeliveryFilter(), NEWEST, 99)
    assert [await database.deliveries.retry(each.id, AT + 9) for each in every] == [True, True]
    (again,) = await database.deliveries.due("w1", AT + 9, 9)
    assert (again.seq, again.step) == (1, 0)


async def test_a_test_changes_nothing_else(database, webhook):
    attempt = Attempt(at=AT + 3, total_ms=2.0, status=500)
    stored = await database.deliveries.tested("w1", outgoing_test("m"), attempt, AT)
    assert (stored.state, stored.kind, stored.created_at, stored.lane) == (
        "failed",
        "test",
        AT,
        "test:m",
    )
    assert (await database.deliveries.attempts(stored.id)) == [attempt]
    assert ((await database.webhooks.get("w1")), (await due(database))) == (webhook, [])
    assert await database.deliveries.tested("w9", outgoing_test("m"), attempt, AT) is None


async def test_deliveries_are_found_by_state_call_and_number(database, webhook):
    await database.deliveries.examined("w1", 0, 6, [out(n, f"c{n % 2}") for n in range(1, 7)], AT)
    for delivery in await database.deliveries.due("w1", AT, 9):
        await end(database, delivery)

    async def found(before: int = NEWEST, limit: int = 99, **wanted: Any) -> list[int]:
        rows = await database.deliveries.deliveries("w1", DeliveryFilter(**wanted), before, limit)
        return [each.seq for each in rows]

    assert await found() == [6, 5, 4, 3, 2, 1]
    assert await found(state="delivered") == [2, 1]
    assert await found(call_id="c0") == [6, 4, 2]
    assert await found(call_id="c0", state="pending") == [6, 4]
    assert await found(seq_from=2, seq_to=4) == [4, 3, 2]
    assert await found(state="pending", seq_to=5) == [5, 4, 3]
    assert await found(limit=2) == [6, 5]
    page = await database.deliveries.deliveries("w1", DeliveryFilter(), NEWEST, 2)
    assert await found(before=page[-1].id, limit=2) == [4, 3]
    assert (await database.deliveries.delivery("w2", page[0].id)) is None


async def test_the_backlog_is_that_of_enabled_endpoints(database, account_id, webhook):
    await database.webhooks.add(new(account_id, "w2", after=0), 20)
    await database.deliveries.examined("w2", 0, 2, [out(1), out(2)], AT + 5)
    await database.deliveries.examined("w1", 0, 2, [out(1), out(2)], AT + 7)
    assert (await database.deliveries.backlog()) == Backlog(4, AT + 5, 0)
    assert (await database.deliveries.crowded("w1", 1)) is True
    assert (await database.deliveries.crowded("w1", 2)) is False
    await database.webhooks.disable("w2", "", AT)
    assert (await database.deliveries.backlog()) == Backlog(2, AT + 7, 0)


async def test_what_is_done_is_kept_as_long_as_events_are(database, webhook):
    await database.deliveries.examined("w1", 0, 1, [out(1), out(2)], AT)
    (delivery,) = await database.deliveries.due("w1", AT, 9)
    await end(database, delivery)
    assert await delete_expired(database, AT + 2 * DAY, events=2) == 0
    assert await delete_expired(database, AT + 2 * DAY + 1, events=2) == 1
    left = await database.deliveries.deliveries("w1", DeliveryFilter(), NEWEST, 99)
    assert [(each.seq, each.state) for each in left] == [(2, "pending")]

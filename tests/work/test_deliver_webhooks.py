"""Webhooks are delivered: to real receivers, from a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks import WebhookVerificationError

from store.expiring import delete_expired
from trunkline.delivery.verdict import RetryPolicy
from webhooks.receiver import Got, hangs, receiving, resets, says

from .webhook_office import QUICK, WebhookOffice, now, said, until


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[WebhookOffice]:
    made = WebhookOffice(tmp_path / "trunkline.db")
    yield made
    await made.db.close()


async def test_an_event_arrives_as_its_envelope_signed(office: WebhookOffice) -> None:
    async with receiving() as receiver, office.running():
        _, secret = await office.webhook(receiver.url)
        (event,) = await office.say(said(office.account_id, "c1"))
        await until(lambda: receiver.got)
    (got,) = receiver.got
    verified = got.verify(secret)
    assert (verified["seq"], verified["type"], verified["call_id"]) == (1, "CHANNEL_CREATE", "c1")
    assert got.id == f"evt_{office.account_id}_{event.seq}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Trunkline/")
    with pytest.raises(WebhookVerificationError):
        got.verify("whsec_" + "A" * 43 + "=")


async def test_filters_choose(office: WebhookOffice) -> None:
    async with receiving() as calls, receiving() as devices, receiving() as everything:
        await office.webhook(calls.url, "call.CALL_ENDED.*")
        await office.webhook(devices.url, "device.#", "trunk.#")
        await office.webhook(everything.url)
        async with office.running():
            account = office.account_id
            ended = said(account, "c1", name="CALL_ENDED")
            await office.say(said(account, "c1"), said(account, ""), ended)
            await until(lambda: len(everything.got) == 3 and calls.got and devices.got)
    assert (calls.seqs, devices.seqs, sorted(everything.seqs)) == ([3], [2], [1, 2, 3])


async def test_what_happened_before_the_endpoint_is_not_sent_unless_asked_for(
    office: WebhookOffice,
) -> None:
    await office.calls(3)
    async with receiving() as fresh, receiving() as late, office.running():
        await office.webhook(fresh.url)
        await office.webhook(late.url, after=1)
        await office.calls(1)
        await until(lambda: fresh.got and len(late.got) == 3)
    assert (fresh.seqs, late.seqs) == ([4], [2, 3, 4])


async def test_what_happens_while_nothing_runs_is_delivered_later(office: WebhookOffice) -> None:
    async with receiving() as receiver:
        await office.webhook(receiver.url)
        await office.calls(1200)
        async with office.running():
            await until(lambda: len(receiver.got) == 1200)
    assert receiver.seqs == list(range(1, 1201))


async def test_order_is_kept_in_a_call_and_calls_do_not_wait_for_one_another(
    office: WebhookOffice,
) -> None:
    async with receiving() as receiver:
        webhook, _ = await office.webhook(receiver.url)
        failures = 3

        async def moody(got: Got, writer: asyncio.StreamWriter) -> None:
            nonlocal failures
            failing = got.event["call_id"] == "c0" and failures > 0
            failures -= failing
            await says(500 if failing else 200)(got, writer)

        receiver.manner = moody
        await office.calls(40, calls=4)
        async with office.running():
            await until(lambda: office.through() and len(receiver.got) == 43)
    for call in range(4):
        numbers = [got.seq for got in receiver.got if got.event["call_id"] == f"c{call}"]
        assert list(dict.fromkeys(numbers)) == list(range(call + 1, 41, 4)) == sorted(set(numbers))
    assert receiver.seqs.count(1) == 4
    others = [at for at, got in enumerate(receiver.got) if got.event["call_id"] != "c0"]
    assert others[0] < max(at for at, got in enumerate(receiver.got) if got.seq == 1)
    assert await office.states(webhook) == {"delivered"}


async def test_an_endpoint_has_a_bounded_number_under_way(office: WebhookOffice) -> None:
    async with receiving() as receiver, receiving() as other:

        async def slow(got: Got, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.02)
            await says(200)(got, writer)

        receiver.manner = other.manner = slow
        office.deliverer(each=3, all=5)
        await office.webhook(receiver.url)
        await office.webhook(other.url)
        await office.calls(60, calls=60)
        async with office.running():
            await until(lambda: len(receiver.got) == len(other.got) == 60)
    assert (receiver.most_open, other.most_open) == (3, 3)


async def test_an_endpoint_that_fails_is_asked_one_at_a_time_until_it_answers(
    office: WebhookOffice,
) -> None:
    async with receiving() as receiver:

        async def broken(got: Got, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.01)
            await says(500)(got, writer)

        receiver.manner = broken
        await office.webhook(receiver.url)
        await office.calls(40, calls=40)
        office.deliverer(RetryPolicy(pauses=(0.05, *(3600.0,) * 8)))
        async with office.running():
            await until(lambda: len(receiver.got) > 12)
            receiver.most_open = receiver.open
            await until(lambda: len(receiver.got) > 20)
            assert receiver.most_open == 1
            receiver.manner = says(200)
            # The others were not to be tried again for an hour: the first success calls them all.
            await until(office.through)


async def test_one_bad_delivery_does_not_take_the_others_along(office: WebhookOffice) -> None:
    """It is tried to its end by its schedule, and called again by nobody's success."""
    async with receiving() as receiver:

        async def poisoned(got: Got, writer: asyncio.StreamWriter) -> None:
            await says(500 if got.seq == 1 else 200)(got, writer)

        receiver.manner = poisoned
        webhook, _ = await office.webhook(receiver.url)
        async with office.running():
            await office.calls(1)
            for n in range(40):
                await office.say(said(office.account_id, f"other{n}"))
                await asyncio.sleep(0.02)
            await office.say(said(office.account_id, "c0"))  # behind the bad one
            await until(office.through)
    tried = [got for got in receiver.got if got.seq == 1]
    assert len(tried) in (10, 11)  # one pause may be cut short by the first success after it
    assert len({(got.id, got.body) for got in tried}) == 1
    states = {each.seq: each.state for each in await office.deliveries(webhook)}
    assert states == {1: "failed", **dict.fromkeys(range(2, 43), "delivered")}
    assert receiver.seqs[-1] == 42
    assert office.state(webhook) == "enabled"
    assert office.deliver.tally.failed == 1


@pytest.mark.parametrize("manner", [says(500), says(302, location="/"), hangs, resets])
async def test_each_failure_is_tried_again(office: WebhookOffice, manner) -> None:
    async with receiving() as receiver:
        receiver.manner = manner
        webhook, secret = await office.webhook(receiver.url)
        async with office.running():
            await office.calls(1)
            await until(lambda: len(receiver.got) == 2)
            receiver.manner = says(204)
            await until(office.through)
    assert len({(got.id, got.body) for got in receiver.got}) == 1
    for got in receiver.got:
        got.verify(secret)
    (delivery,) = await office.deliveries(webhook)
    attempts = await office.db.deliveries.attempts(delivery.id)
    assert (delivery.state, delivery.last_status) == ("delivered", 204)
    assert len(attempts) == delivery.attempts == len(receiver.got)
    assert all(bool(each.error) == (each.status is None) for each in attempts)


async def test_retry_after_is_obeyed_by_the_whole_endpoint(office: WebhookOffice) -> None:
    async with receiving() as receiver:

        async def busy_once(got: Got, writer: asyncio.StreamWriter) -> None:
            first = len(receiver.got) == 1
            await (says(429, Retry_After="1") if first else says(200))(got, writer)

        receiver.manner = busy_once
        office.deliverer(each=1)
        await office.webhook(receiver.url)
        await office.calls(3, calls=3)
        async with office.running():
            await until(lambda: office.through() and len(receiver.got) == 4)
    assert receiver.got[1].at - receiver.got[0].at >= 0.99


async def test_410_disables_with_a_notice_and_keeps_what_waits(office: WebhookOffice) -> None:
    async with receiving() as receiver, receiving() as other:
        receiver.manner = says(410)
        gone, _ = await office.webhook(receiver.url)
        await office.webhook(other.url, "webhook.#")
        async with office.running():
            await office.calls(1)
            await until(lambda: other.got)
            await office.calls(1)
            event = other.got[0].event
            assert (event["type"], event["subject"]) == ("WEBHOOK_DISABLED", gone.id)
            assert event["data"]["stopped_after"] == 0
            assert office.published[-1].name == "CHANNEL_CREATE"
            assert office.state(gone) == "disabled"
            assert len(receiver.got) == 1
            receiver.manner = says(200)
            await office.manage.enable(await office.manage.find(gone.id))
            await until(lambda: sorted(receiver.seqs) == [1, 1, 2, 3])
    assert receiver.seqs.index(1) == 0


async def test_an_endpoint_that_never_answers_is_suspended_with_a_notice(
    office: WebhookOffice,
) -> None:
    async with receiving() as receiver:
        receiver.manner = says(503)
        webhook, _ = await office.webhook(receiver.url)
        async with office.running():
            await office.calls(5)
            await until(lambda: office.state(webhook) == "suspended")
            assert len(receiver.got) == 10
            assert await office.states(webhook) == {"pending"}
            assert office.published[-1].name == "WEBHOOK_SUSPENDED"
            assert (await office.db.deliveries.backlog()).stopped == 1
            await office.calls(2)
            await asyncio.sleep(0.2)
            assert len(receiver.got) == 10
            receiver.manner = says(200)
            await office.manage.enable(await office.manage.find(webhook.id))
            await until(lambda: office.through() and set(receiver.seqs) == set(range(1, 9)))
    calls = [got.seq for got in receiver.got[10:] if got.event["category"] == "call"]
    assert calls == [1, 2, 3, 4, 5, 7, 8]


async def test_an_endpoint_whose_every_attempt_fails_for_long_is_suspended(
    office: WebhookOffice,
) -> None:
    async with receiving() as receiver:
        receiver.manner = says(500)
        office.deliverer(RetryPolicy(pauses=(0.05,) * 1000, suspend_after=0.4))
        webhook, _ = await office.webhook(receiver.url)
        async with office.running():
            await office.calls(1)
            await until(lambda: office.state(webhook) == "suspended")
    assert 2 < len(receiver.got) < 20


async def test_a_disabled_endpoint_gets_nothing_and_later_everything(office: WebhookOffice) -> None:
    async with receiving() as receiver, office.running():
        webhook, _ = await office.webhook(receiver.url)
        await office.manage.disable(webhook)
        await office.calls(3)
        await asyncio.sleep(0.1)
        assert receiver.got == []
        await office.manage.enable(webhook)
        await until(lambda: receiver.seqs == [1, 2, 3])


async def test_a_deleted_endpoint_gets_nothing(office: WebhookOffice) -> None:
    async with receiving() as receiver, office.running():
        receiver.manner = hangs
        webhook, _ = await office.webhook(receiver.url)
        await office.calls(2)
        await until(lambda: receiver.got)
        await office.manage.delete(webhook)
        await asyncio.sleep(1.3)  # past the time-out of what was under way
    assert len(receiver.got) == 1
    assert office.backlog() == 0


async def test_after_a_rotation_both_secrets_sign_for_a_day(office: WebhookOffice) -> None:
    async with receiving() as receiver, office.running():
        webhook, old = await office.webhook(receiver.url)
        rotated, new = await office.manage.rotate(webhook, "once")
        again, same = await office.manage.rotate(webhook, "once")
        assert (again, same) == (rotated, new)
        await office.calls(1)
        await until(lambda: receiver.got)
    (got,) = receiver.got
    got.verify(old)
    got.verify(new)
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    assert rotated.previous_until is not None
    assert 86_300 < (rotated.previous_until - now()) / 1e6 <= 86_400
    assert (await office.db.webhooks.secrets(webhook.id, rotated.previous_until)) == (new,)


async def test_one_account_does_not_starve_another(tmp_path: Path) -> None:
    """Its endpoints hang, and there are more of them than places."""
    office = WebhookOffice(tmp_path / "trunkline.db")
    other = WebhookOffice(tmp_path / "trunkline.db", "other")
    office.deliverer(each=4, all=4)
    async with receiving() as hanging, receiving() as receiver:
        hanging.manner = hangs
        for _ in range(8):
            await office.webhook(hanging.url)
        await office.webhook(receiver.url, account_id=other.account_id)
        await office.calls(40, calls=40)
        async with office.running():
            await until(lambda: hanging.open == 4)
            await office.say(*(said(other.account_id, f"o{n}") for n in range(20)))
            await until(lambda: len(receiver.got) == 20, timeout=10)
            await until(lambda: len(hanging.got) > 8)
            await office.say(said(other.account_id, "last"))
            before = len(hanging.got)
            await until(lambda: len(receiver.got) == 21)
            assert len(hanging.got) - before <= 4
    await office.db.close()
    await other.db.close()


async def test_what_retention_has_passed_is_told_by_a_gap(tmp_path: Path) -> None:
    office = WebhookOffice(tmp_path / "trunkline.db")
    old = now() - 2 * 86_400_000_000
    async with receiving() as receiver:
        await office.webhook(receiver.url, "call.#")
        await office.say(*(said(office.account_id, "c", n, at=old) for n in range(7)))
        await office.calls(2)
        await delete_expired(office.db, now(), events=1)
        async with office.running():
            await until(lambda: len(receiver.got) == 3)
    gap, *rest = sorted((got.event for got in receiver.got), key=lambda event: event["seq"])
    assert (gap["type"], gap["seq"], gap["data"]) == ("GAP", 7, {"from": 1, "to": 7})
    assert [event["seq"] for event in rest] == [8, 9]
    assert receiver.got[0].id == f"gap_{office.account_id}_1_7"
    await office.db.close()


async def test_what_retention_passes_between_two_reads_is_a_gap_too(
    office: WebhookOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, bounds, reads = now() - 2 * 86_400_000_000, office.db.events.bounds, []

    async def and_then_retention(account_id: str) -> tuple[int, int]:
        found = await bounds(account_id)
        reads.append(account_id)
        if len(reads) == 1:
            await delete_expired(office.db, now(), events=1)
        return found

    async with receiving() as receiver:
        await office.webhook(receiver.url, "call.#")
        await office.say(*(said(office.account_id, "c", n, at=old) for n in range(7)))
        await office.calls(2)
        monkeypatch.setattr(office.db.events, "bounds", and_then_retention)
        async with office.running():
            await until(lambda: {8, 9} <= {got.event["seq"] for got in receiver.got})
    gaps = [got.event["data"] for got in receiver.got if got.event["type"] == "GAP"]

    assert gaps == [{"from": 1, "to": 7}]


async def test_what_was_pending_when_retention_passed_it_is_one_gap(tmp_path: Path) -> None:
    office = WebhookOffice(tmp_path / "trunkline.db")
    old = now() - 2 * 86_400_000_000
    async with receiving() as receiver:
        receiver.manner = says(500)
        office.deliverer(RetryPolicy(pauses=(3600.0,)))
        webhook, _ = await office.webhook(receiver.url)
        async with office.running():
            await office.say(*(said(office.account_id, f"c{n % 2}", n, at=old) for n in range(6)))
            await office.calls(2, calls=2)
            await until(lambda: len(receiver.got) == 2)
        await delete_expired(office.db, now(), events=1)
        receiver.manner = says(200)
        receiver.got.clear()
        await office.manage.disable(webhook)
        await office.manage.enable(webhook)
        office.deliverer()
        async with office.running():
            await until(office.through)
    assert [(got.event["type"], got.seq) for got in receiver.got if got.event["type"] == "GAP"] == [
        ("GAP", 6)
    ]
    assert sorted(receiver.seqs) == [6, 7, 8]
    states = [each.state for each in await office.deliveries(webhook)]
    assert states == ["failed"] * 6 + ["delivered"] * 3
    await office.db.close()


async def test_no_more_is_pending_than_there_is_room_for(office: WebhookOffice) -> None:
    async with receiving() as receiver:
        receiver.manner = says(500)
        office.deliverer(RetryPolicy(pauses=(0.05,) * 2000), pending=20)
        await office.webhook(receiver.url)
        await office.calls(2500, calls=50)
        async with office.running():
            await until(lambda: office.backlog() >= 500)
            tried = len(receiver.got)
            await until(lambda: len(receiver.got) > tried + 5)
            assert office.backlog() == 500  # a chunk more than what makes it full
            receiver.manner = says(200)
            await until(lambda: len(set(receiver.seqs)) == 2500)


async def test_the_url_never_stands_in_a_log(office: WebhookOffice, capsys) -> None:
    async with receiving() as receiver:
        receiver.manner = says(410)
        await office.webhook(f"{receiver.url}?token=hush")
        async with office.running():
            await office.calls(1)
            await until(lambda: office.published[-1].name == "WEBHOOK_DISABLED")
    out, err = capsys.readouterr()
    assert "webhook.stopped" in out + err
    assert "hush" not in out + err
    assert QUICK.pauses


async def test_accounts_that_were_read_earlier_do_not_replace_those_read_later(
    office: WebhookOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, answers = office.db.webhooks.active_accounts, [asyncio.Event(), asyncio.Event()]
    waiting = iter(answers)

    async def over_a_network() -> set[str]:
        found, answer = await read(), next(waiting)
        await answer.wait()
        return found

    async with receiving() as receiver:
        monkeypatch.setattr(office.db.webhooks, "active_accounts", over_a_network)
        earlier = asyncio.create_task(office.deliver.refresh())
        await asyncio.sleep(0)
        creating = asyncio.create_task(office.webhook(receiver.url))
        answers[1].set()
        await asyncio.wait([creating], timeout=1)
        answers[0].set()
        await asyncio.gather(earlier, creating)

    assert office.deliver._examine.wants(office.account_id)

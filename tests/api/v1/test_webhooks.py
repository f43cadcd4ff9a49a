"""Webhooks by /v1."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from trunkline.delivery.webhook import outgoing
from webhooks.receiver import hangs, receiving, says

from ..conftest import NOW
from .conftest import Office, problem_of

URL = "https://8.8.8.8/hooks"


async def made(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/webhooks", json={"url": URL, **body})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/{told['webhook_id']}"
    return told


async def test_an_endpoint_is_made_and_its_secret_shown_once(client) -> None:
    told = await made(client, events=["call.CALL_ENDED.*"], description="crm")
    assert told.pop("secret").startswith("whsec_")
    shown = (await client.get(f"/v1/webhooks/{told['webhook_id']}")).json()
    listed = (await client.get("/v1/webhooks")).json()
    assert told == shown == listed["webhooks"][0]
    assert (told["state"], told["given_up_to"], told["failing_since"]) == ("enabled", 0, None)
    assert told["events"] == ["call.CALL_ENDED.*"]


async def test_the_same_request_makes_one_endpoint(client) -> None:
    sent = {"json": {"url": URL}, "headers": {"idempotency-key": "one"}}
    first, second = [await client.post("/v1/webhooks", **sent) for _ in range(2)]
    assert first.json() == second.json()
    assert len((await client.get("/v1/webhooks")).json()["webhooks"]) == 1


async def test_lists_have_pages(client) -> None:
    ids = [(await made(client))["webhook_id"] for _ in range(5)]
    found, url = [], "/v1/webhooks?limit=2"
    while url:
        page = await client.get(url)
        found += [each["webhook_id"] for each in page.json()["webhooks"]]
        url = page.links.get("next", {}).get("url", "")
    assert sorted(found) == sorted(ids)


async def test_an_endpoint_is_changed_switched_and_deleted(client, office: Office) -> None:
    path = f"/v1/webhooks/{(await made(client))['webhook_id']}"
    changed = (await client.patch(path, json={"events": ["device.#"]})).json()
    assert (changed["events"], changed["url"]) == (["device.#"], URL)
    assert (await client.post(f"{path}/disable")).json()["state"] == "disabled"
    assert (await client.post(f"{path}/enable")).json()["state"] == "enabled"
    assert office.refreshed.is_set()
    assert (await client.delete(path)).status_code == 204
    assert problem_of(await client.get(path)) == (404, "not_found")


async def test_a_rotation_that_is_repeated_rotates_once(client, office: Office) -> None:
    told = await made(client)
    path = f"/v1/webhooks/{told['webhook_id']}/rotate"
    first, again = [
        (await client.post(path, headers={"idempotency-key": "r"})).json() for _ in range(2)
    ]
    assert first == again
    assert first["secret"] != told["secret"]
    assert first["previous_secret_until"] is not None
    signing = await office.db.webhooks.secrets(told["webhook_id"], NOW)
    assert signing == (first["secret"], told["secret"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://8.8.8.8/"}, "webhook_url_refused"),
        ({"url": "https://127.0.0.2.example.invalid.:1/"}, None),
        ({"url": "https://169.254.169.254/latest"}, "webhook_url_refused"),
        ({"url": "https://[::1]/"}, "webhook_url_refused"),
        ({"url": "nonsense"}, "webhook_url_refused"),
        ({"url": URL, "events": ["call.NOTHING.*"]}, "webhook_invalid"),
        ({"url": URL, "events": ["call.*.a,b"]}, "webhook_invalid"),
        ({"url": URL, "after": 4}, "webhook_invalid"),
        ({"url": URL, "description": "\x00"}, "webhook_invalid"),
        ({"url": URL, "other": 1}, "body_invalid"),
        ({}, "body_invalid"),
    ],
)
async def test_what_cannot_be_is_refused(client, body, code) -> None:
    answer = await client.post("/v1/webhooks", json=body)
    if code is None:
        assert answer.status_code == 201
    else:
        assert problem_of(answer) == (400, code)


async def test_an_account_has_a_limit(client) -> None:
    for _ in range(20):
        await made(client)
    assert problem_of(await client.post("/v1/webhooks", json={"url": URL})) == (
        409,
        "webhook_limit",
    )


async def test_another_account_sees_nothing_of_it(client, office: Office) -> None:
    from trunkline.work.manage.accounts import create_account

    id_ = (await made(client))["webhook_id"]
    other = office.change(lambda d: create_account(d, "other"))
    async with office.client(office.key(account=other)) as stranger:
        assert (await stranger.get("/v1/webhooks")).json() == {"webhooks": []}
        for method, path in (
            ("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable"),
            ("POST", "/rotate"), ("POST", "/test"), ("GET", "/deliveries"), ("GET", "/deliveries/1"),
            ("POST", "/deliveries/1/replay"),
        ):  # fmt: skip
            answer = await stranger.request(method, f"/v1/webhooks/{id_}{path}")
            assert problem_of(answer) == (404, "not_found")
        for method, path in (("PATCH", ""), ("POST", "/replay")):
            answer = await stranger.request(method, f"/v1/webhooks/{id_}{path}", json={})
            assert problem_of(answer) == (404, "not_found")


async def test_reading_and_writing_are_two_scopes(office: Office, client) -> None:
    id_ = (await made(client))["webhook_id"]
    async with office.client(office.key("webhooks:read")) as reader:
        assert (await reader.get(f"/v1/webhooks/{id_}")).status_code == 200
        assert problem_of(await reader.delete(f"/v1/webhooks/{id_}")) == (403, "scope_missing")
    async with office.client(office.key("webhooks:write")) as writer:
        assert problem_of(await writer.get("/v1/webhooks")) == (403, "scope_missing")


async def test_the_test_button_tells_what_came_back(client) -> None:
    async with receiving() as receiver:
        receiver.manner = says(418, b"no coffee")
        told = await made(client, url=receiver.url)
        tested = (await client.post(f"/v1/webhooks/{told['webhook_id']}/test")).json()
    (got,) = receiver.got
    assert got.verify(told["secret"])["type"] == "WEBHOOK_TEST"
    assert (tested["state"], tested["kind"], tested["last_status"]) == ("failed", "test", 418)
    assert tested["body"] == got.body.decode()
    assert tested["message_id"] == got.id
    (attempt,) = tested["tries"]
    assert (attempt["status"], attempt["answer"], attempt["address"]) == (
        418,
        "no coffee",
        "127.0.0.1",
    )
    assert attempt["total_ms"] > 0
    path = f"/v1/webhooks/{told['webhook_id']}/deliveries/{tested['delivery_id']}"
    assert (await client.get(path)).json() == tested
    assert problem_of(await client.post(f"{path}/replay")) == (410, "event_gone")


async def delivered(office: Office, webhook_id: str, n: int) -> None:
    """n events stand in the log, and were given to the endpoint."""
    events = await office.tell(n, call_id="call-1")
    await office.db.deliveries.examined(webhook_id, 0, n, [outgoing(e) for e in events], NOW)


async def test_deliveries_are_listed_with_filters_and_pages(client, office: Office) -> None:
    id_ = (await made(client))["webhook_id"]
    await delivered(office, id_, 7)
    found, url = (
        [],
        f"/v1/webhooks/{id_}/deliveries?limit=2&seq_from=2&state=pending&call_id=call-1",
    )
    while url:
        page = await client.get(url)
        found += [each["seq"] for each in page.json()["deliveries"]]
        url = page.links.get("next", {}).get("url", "")
    assert found == [7, 6, 5, 4, 3, 2]
    first = (await client.get(f"/v1/webhooks/{id_}/deliveries?seq_to=1")).json()["deliveries"][0]
    assert (first["type"], first["call_id"], first["attempts"]) == ("CHANNEL_CREATE", "call-1", 0)
    one = (await client.get(f"/v1/webhooks/{id_}/deliveries/{first['delivery_id']}")).json()
    event = (await client.get("/v1/events/1")).text
    assert (one["body"], one["tries"]) == (event, [])


async def test_a_cursor_is_one_webhooks_own(client, office: Office) -> None:
    one, other = [(await made(client))["webhook_id"] for _ in range(2)]
    await delivered(office, one, 3)
    page = await client.get(f"/v1/webhooks/{one}/deliveries?limit=1")
    cursor = httpx.URL(page.links["next"]["url"]).params["cursor"]
    answer = await client.get(f"/v1/webhooks/{other}/deliveries", params={"cursor": cursor})
    assert problem_of(answer) == (400, "cursor_invalid")


async def test_an_endpoint_is_tested_once_at_a_time(client, office: Office) -> None:
    """Each test has a connection, as long as the receiver takes."""
    async with receiving() as receiver:
        receiver.manner = hangs
        path = f"/v1/webhooks/{(await made(client, url=receiver.url))['webhook_id']}/test"
        first = asyncio.create_task(client.post(path))
        while not receiver.got:  # noqa: ASYNC110 - a receiver has no event for it
            await asyncio.sleep(0.01)
        second = await client.post(path)
        assert problem_of(second) == (429, "rate_limited")
        assert second.headers["retry-after"] == "1"
        assert len(receiver.got) == 1
        assert (await first).json()["last_error"]
        assert (await client.post(path)).status_code == 200


async def test_replays_do_not_pile_up(client, office: Office, monkeypatch) -> None:
    """Ten of 30,000 events at once kept the database's writer busy for 50 s, and any number filled the disk."""
    monkeypatch.setattr("trunkline.work.manage.webhooks.MOST_REPLAYED", 8)
    id_ = (await made(client, events=["call.#"]))["webhook_id"]
    await delivered(office, id_, 5)
    path = f"/v1/webhooks/{id_}/replay"

    at_once = await asyncio.gather(*(client.post(path, json={"from": 1}) for _ in range(5)))
    for _ in range(3):
        at_once.append(await client.post(path, json={"from": 1}))
    assert at_once[-1].status_code == 429
    assert at_once[-1].headers["retry-after"] == "60"
    queued = sum(each.json()["queued"] for each in at_once if each.status_code == 202)
    assert 0 < queued <= 15
    pending = (await client.get(f"/v1/webhooks/{id_}/deliveries")).json()["deliveries"]
    assert len(pending) == 5 + queued


async def test_events_are_sent_again(client, office: Office) -> None:
    id_ = (await made(client, events=["call.#"]))["webhook_id"]
    await delivered(office, id_, 5)
    path = f"/v1/webhooks/{id_}/replay"

    async def replay(**body: Any) -> Any:
        answer = await client.post(path, json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()["queued"]

    at = datetime.fromtimestamp(NOW / 1e6, UTC)
    assert await replay(**{"from": 2, "to": 3}) == 2
    assert await replay(**{"from": 4}) == 2
    assert await replay(since=at.isoformat(), to=4) == 4
    assert await replay(since="2038-01-01T00:00:00Z") == 0
    again = (await client.get(f"/v1/webhooks/{id_}/deliveries")).json()["deliveries"]
    assert [each["seq"] for each in again] == [4, 3, 2, 1, 5, 4, 3, 2, 5, 4, 3, 2, 1]
    assert {each["kind"] for each in again[:8]} == {"replay"}
    assert len({each["message_id"] for each in again}) == 5
    assert problem_of(await client.post(path, json={})) == (400, "range_invalid")
    assert problem_of(await client.post(path, json={"since": "2026-11-23T15:00:00"})) == (
        400,
        "body_invalid",
    )
    one = f"/v1/webhooks/{id_}/deliveries/{again[-1]['delivery_id']}/replay"
    assert (await client.post(one)).json() == {"queued": 1}

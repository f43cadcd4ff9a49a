"""GET /v1/events: the whole log, in order, with nothing passed over."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest
import uvicorn

from store.making import AT
from trunkline.api.application import build_api
from trunkline.api.v1 import events as endpoint
from trunkline.events.stored import Announcement
from trunkline.work.manage import keys
from trunkline.work.manage.accounts import create_account

from .conftest import Office, problem_of, until


def numbers(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [event["seq"] for event in answer.json()["events"]]


async def online(office: Office, name: str, event: str = "DEVICE_ONLINE") -> None:
    told = Announcement(office.account.account_id, "device", event, name, AT, {"Event-Name": event})
    office.bus.publish(await office.db.events.append([told]))


async def prune(office: Office, upto: int) -> None:
    """What retention does: the beginning goes."""

    async def delete(connection: Any) -> None:
        connection.execute("DELETE FROM events WHERE seq <= ?", (upto,))
        connection.execute("UPDATE accounts SET events_from = ?", (upto + 1,))

    await office.db._writer.run(delete)


async def test_an_event_is_an_envelope(office: Office, client: httpx.AsyncClient) -> None:
    await office.tell(call_id="call-1")
    told = (await client.get("/v1/events")).json()
    assert (told["next_after"], told["gap"], told["newest"]) == (1, None, 1)
    (event,) = told["events"]
    assert event == {
        **event,
        "seq": 1,
        "type": "CHANNEL_CREATE",
        "category": "call",
        "subject": "leg-0",
        "account_id": office.account.account_id,
        "call_id": "call-1",
        "time": "2023-11-14T22:13:20.000Z",
    }
    assert event["data"]["event_name"] == "CHANNEL_CREATE"
    assert (await client.get("/v1/events/1")).json() == event


async def test_the_log_is_read_page_by_page(office: Office, client: httpx.AsyncClient) -> None:
    await office.tell(450)
    url, read = "/v1/events?limit=100", []
    while url:
        answer = await client.get(url)
        read.append(numbers(answer))
        url = answer.links.get("next", {}).get("url", "")
    assert [len(page) for page in read] == [100, 100, 100, 100, 50]
    assert [seq for page in read for seq in page] == list(range(1, 451))
    assert answer.json()["next_after"] == 450
    assert numbers(await client.get("/v1/events?limit=1000")) == list(range(1, 451))
    assert numbers(await client.get("/v1/events?after=448")) == [449, 450]
    beyond = (await client.get("/v1/events?after=9007199254740991")).json()
    assert (beyond["events"], beyond["next_after"]) == ([], 9007199254740991)


async def test_an_empty_log(client: httpx.AsyncClient) -> None:
    told = {"events": [], "next_after": 0, "gap": None, "newest": 0}
    for query in ("", "?call_id=none", "?types=device.%23"):
        answer = await client.get(f"/v1/events{query}")
        assert answer.json() == told
        assert "link" not in answer.headers


async def test_another_accounts_events_are_not_there(office: Office) -> None:
    other = office.change(lambda d: create_account(d, "other"))
    await office.tell(3, call_id="call-1")
    async with office.client(office.key(account=other)) as client:
        assert numbers(await client.get("/v1/events")) == []
        assert numbers(await client.get("/v1/events?call_id=call-1")) == []
        assert problem_of(await client.get("/v1/events/1")) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ("types=device.%23", [3, 4]),
        ("types=device.DEVICE_OFFLINE.*,call.*.leg-1", [2, 4]),
        ("types=device.DEVICE_OFFLINE.*&types=call.*.leg-1", [2, 4]),
        ("types=%23", [1, 2, 3, 4]),
        ("types=", [1, 2, 3, 4]),
        ("call_id=call-1", [1, 2]),
        ("call_id=call-1&types=call.*.leg-0", [1]),
        ("call_id=call-1&after=1", [2]),
        ("call_id=another", []),
    ],
)
async def test_filters(
    office: Office, client: httpx.AsyncClient, query: str, seqs: list[int]
) -> None:
    await office.tell(2, call_id="call-1")
    await online(office, "an1")
    await online(office, "an1", "DEVICE_OFFLINE")
    answer = await client.get(f"/v1/events?{query}")
    assert numbers(answer) == seqs
    assert answer.json()["next_after"] == 4


async def test_a_binding_that_lost_its_hash_sign_is_told_why(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/events?types=call.")  # what arrives of ?types=call.#
    assert problem_of(answer) == (400, "parameters_invalid")
    assert "a # is %23 in a URL" in answer.json()["errors"][0]["detail"]


async def test_no_call_is_not_every_call(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/events?call_id=")
    assert problem_of(answer) == (400, "parameters_invalid")


async def test_a_filter_keeps_its_page_and_its_link(
    office: Office, client: httpx.AsyncClient
) -> None:
    for _ in range(3):
        await office.tell(3, call_id="a")
        await office.tell(3, call_id="b")
    for query in ("call_id=a&limit=2", "types=call.*.leg-0,call.*.leg-2&call_id=a&limit=2"):
        url, read = f"/v1/events?{query}", []
        while url:
            answer = await client.get(url)
            read += numbers(answer)
            assert len(numbers(answer)) <= 2
            url = answer.links.get("next", {}).get("url", "")
        wanted = [1, 2, 3, 7, 8, 9, 13, 14, 15]
        assert read == (wanted if "types" not in query else [1, 3, 7, 9, 13, 15])


async def test_a_filter_that_lets_nothing_through_costs_a_bounded_look(
    office: Office, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "MOST_LOOKED_AT", 400)
    await office.tell(1000)
    await online(office, "an1")
    url, pages = "/v1/events?types=device.%23&wait=30", []
    while url:
        answer = await client.get(url)
        pages.append((numbers(answer), answer.json()["next_after"]))
        url = answer.links.get("next", {}).get("url", "")
    assert pages == [([], 400), ([], 800), ([1001], 1001)]


async def test_what_retention_took_is_a_gap(office: Office, client: httpx.AsyncClient) -> None:
    await office.tell(10, call_id="call-1")
    await prune(office, 4)
    for query in ("after=1", "after=1&call_id=call-1", "after=1&types=call.%23"):
        answer = await client.get(f"/v1/events?{query}")
        assert numbers(answer) == [5, 6, 7, 8, 9, 10]
        assert answer.json()["gap"] == {"from": 2, "to": 4}
    assert (await client.get("/v1/events?after=4")).json()["gap"] is None
    assert problem_of(await client.get("/v1/events/4")) == (410, "event_gone")
    await prune(office, 10)
    for query in ("after=1&wait=30", "after=1&call_id=call-1&wait=30"):
        told = (await client.get(f"/v1/events?{query}")).json()
        assert (told["events"], told["gap"]) == ([], {"from": 2, "to": 10})
        assert (told["next_after"], told["newest"]) == (10, 10)


async def test_one_event_that_is_not_there(office: Office, client: httpx.AsyncClient) -> None:
    await office.tell(2)
    for seq in ("3", "0", "-1", "x", "1.0", "9" * 30, "%20", "stream"):
        assert problem_of(await client.get(f"/v1/events/{seq}")) == (404, "not_found"), seq


# ---- Waiting ---------------------------------------------------------------------------------------


class Waiting:
    """Requests that wait, on one door."""

    def __init__(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        self._office = office
        self.v1 = office.v1()
        monkeypatch.setattr("trunkline.api.application.V1", lambda deps: self.v1)
        self.client = office.client()

    async def get(self, query: str, waiting: int = 1) -> asyncio.Task[httpx.Response]:
        task = asyncio.create_task(self.client.get(f"/v1/events?{query}"))
        await until(lambda: len(self.v1._polls) == waiting or task.done())
        assert not task.done()
        return task


@pytest.fixture
def waiting(office: Office, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(office, monkeypatch)


async def test_who_waits_is_woken_by_the_event(office: Office, waiting: Waiting) -> None:
    task = await waiting.get("wait=60")
    await office.tell(2)
    assert numbers(await task) == [1, 2]
    assert len(waiting.v1._polls) == 0
    assert numbers(await waiting.client.get("/v1/events?after=1&wait=60")) == [2]


async def test_only_what_is_wanted_wakes(office: Office, waiting: Waiting) -> None:
    other = office.change(lambda d: create_account(d, "other"))
    device = await waiting.get("wait=60&types=device.%23")
    call = await waiting.get("wait=60&call_id=call-1", 2)
    await office.tell(account_id=other.account_id)
    await office.tell(3, call_id="call-2")
    await asyncio.sleep(0.05)
    assert not device.done()
    assert not call.done()
    await online(office, "an1")
    told = (await device).json()
    assert ([event["seq"] for event in told["events"]], told["next_after"]) == ([4], 4)
    await office.tell(call_id="call-1")
    assert numbers(await call) == [5]


async def test_time_over_moves_on_past_what_was_not_wanted(
    office: Office, waiting: Waiting
) -> None:
    task = await waiting.get("wait=1&types=device.%23")
    await office.tell(3)
    told = (await task).json()
    assert told == {"events": [], "next_after": 3, "gap": None, "newest": 3}


async def test_no_event_falls_between_reading_and_waiting(office: Office, waiting: Waiting) -> None:
    """Readers that each go on from what they have see every number once, however it is timed."""

    async def reader(types: str) -> list[int]:
        seen: list[int] = []
        while len(seen) < 60:
            after = seen[-1] if seen else 0
            url = f"/v1/events?after={after}&wait=60&limit=7&types={types}"
            seen += numbers(await waiting.client.get(url))
        return seen

    readers = [asyncio.create_task(reader(types)) for types in ("", "call.%23") for _ in range(5)]
    for n in range(60):
        await office.tell()
        await asyncio.sleep(0.001 * (n % 3))
    async with asyncio.timeout(30):
        assert await asyncio.gather(*readers) == [list(range(1, 61))] * 10


async def test_a_key_that_is_revoked_while_it_waits_gets_nothing(
    office: Office, waiting: Waiting
) -> None:
    entry, key = office.made()
    waiting.client.headers["authorization"] = f"Bearer {key}"
    task = await waiting.get("wait=60")
    office.change(lambda d: keys.revoke_key(d, entry.key_id))
    await office.tell()
    assert problem_of(await task) == (401, "key_invalid")


async def test_a_stopping_server_answers_who_waits(waiting: Waiting) -> None:
    task = await waiting.get("wait=60")
    waiting.v1.close()
    assert numbers(await task) == []
    assert numbers(await waiting.client.get("/v1/events?wait=60")) == []


async def test_not_too_many_wait(
    office: Office, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trunkline.api.v1.conventions.long_polls.MOST", 2)
    tasks = [await waiting.get("wait=60", n) for n in (1, 2)]
    answer = await waiting.client.get("/v1/events?wait=60")
    assert problem_of(answer) == (429, "too_many_waiting")
    assert answer.headers["retry-after"] == "1"
    await office.tell()
    assert [numbers(await task) for task in tasks] == [[1], [1]]


async def test_who_is_gone_waits_no_more(office: Office, waiting: Waiting) -> None:
    """On a real server: the client closes its connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build_api(office.deps()), log_level="error"))
    serving = asyncio.create_task(server.serve([listener]))
    _, writer = await asyncio.open_connection(*listener.getsockname())
    head = f"GET /v1/events?wait=60 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {office.key()}"
    writer.write(f"{head}\r\n\r\n".encode())
    await until(lambda: len(waiting.v1._polls) == 1)
    writer.close()
    await until(lambda: len(waiting.v1._polls) == 0)
    server.should_exit = True
    async with asyncio.timeout(20):
        await serving

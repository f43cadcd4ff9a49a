"""Idempotency-Key: what is sent again is not done again, whatever happened in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from trunkline.api.v1.conventions.idempotency import KEPT
from trunkline.api.v1.conventions.problems import problem
from trunkline.api.v1.conventions.routing import (
    Parameters,
    Request,
    RequestBody,
    Response,
    ResponseBody,
    Route,
)
from trunkline.api.v1.table import ROUTES

from .conftest import Office, problem_of, until


class Order(RequestBody, frozen=True, kw_only=True):
    name: str = ""


class Made(ResponseBody, frozen=True, kw_only=True):
    id: str
    secret: str


class Shop:
    """Makes things under ``request.id``: inserts one, or reads what is there."""

    def __init__(self) -> None:
        self.things: dict[str, str] = {}
        self.runs: list[str] = []
        self.before: list[BaseException] = []
        self.after: list[BaseException] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def make(self, request: Request[Parameters, Order]) -> Response:
        """Make a thing."""
        self.runs.append(request.id)
        await self.gate.wait()
        if self.before:
            raise self.before.pop()
        name = self.things.setdefault(request.id, request.body.name)
        if self.after:
            raise self.after.pop()
        return Response(Made(id=request.id, secret=f"hush-{name}"), headers=((b"location", b"/x"),))


class Crash(BaseException):
    """``kill -9``: nothing that follows in this process happens."""


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def client(
    office: Office, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    async def make(request: Request[Any, Any]) -> Response:
        return await shop.make(request)

    route = Route("POST", "/v1/things", None, make, "Make", body=Order, answer=Made, status=201)
    patch = Route("PATCH", "/v1/things", None, make, "Make", body=Order, answer=Made)
    monkeypatch.setattr("trunkline.api.application.ROUTES", (*ROUTES, route, patch))
    async with office.client() as one:
        yield one


def key(text: str = "k1") -> dict[str, str]:
    return {"idempotency-key": text}


async def order(
    client: httpx.AsyncClient, name: str = "n", text: str = "k1", **more: Any
) -> httpx.Response:
    return await client.post("/v1/things", json={"name": name}, headers=key(text), **more)


async def test_the_first_answer_again(client: httpx.AsyncClient, shop: Shop) -> None:
    first, again = await order(client), await order(client)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"] == "/x"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert "ratelimit" in again.headers
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert len(shop.runs) == len(shop.things) == 1


async def test_without_a_key_each_is_done(client: httpx.AsyncClient, shop: Shop) -> None:
    for _ in range(2):
        await client.post("/v1/things", json={})
    assert len(shop.things) == 2


async def test_another_request_under_the_key_is_refused(
    client: httpx.AsyncClient, shop: Shop
) -> None:
    await order(client)
    others = [
        await order(client, "another"),
        await order(client, params={}),
        await client.patch("/v1/things", json={"name": "n"}, headers=key()),
    ]
    codes = [answer.status_code for answer in others]
    assert codes == [422, 201, 422]
    assert problem_of(others[0]) == (422, "idempotency_key_reused")
    assert len(shop.runs) == 1


async def test_keys_are_of_their_owner(
    office: Office, client: httpx.AsyncClient, shop: Shop
) -> None:
    await order(client)
    client.headers["authorization"] = f"Bearer {office.key()}"
    await order(client, "mine")
    assert sorted(shop.things.values()) == ["mine", "n"]


async def test_one_at_a_time(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.gate.clear()
    first = asyncio.create_task(order(client))
    await until(lambda: bool(shop.runs))
    second = await order(client)
    assert problem_of(second) == (409, "idempotency_in_progress")
    assert second.headers["retry-after"] == "1"
    shop.gate.set()
    assert (await first).status_code == 201
    assert (await order(client)).content == (await first).content
    assert len(shop.runs) == 1


async def test_of_many_at_once_one_is_done(client: httpx.AsyncClient, shop: Shop) -> None:
    answers = await asyncio.gather(*(order(client) for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(shop.runs) == 1


async def test_a_final_refusal_is_the_answer(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.before = [problem("not_found", "No such colour.")]
    first, again = await order(client), await order(client)
    for answer in (first, again):
        assert problem_of(answer) == (404, "not_found")
        assert answer.json()["detail"] == "No such colour."
    assert again.headers["idempotency-replayed"] == "true"
    assert len(shop.runs) == 1


async def test_a_refusal_that_passes_frees_the_key(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.before = [problem("unavailable")]
    assert (await order(client)).status_code == 503
    assert (await order(client, "another")).status_code == 201


async def test_what_cannot_be_read_takes_no_key(client: httpx.AsyncClient, shop: Shop) -> None:
    bad = await client.post("/v1/things", json={"nmae": "n"}, headers=key())
    assert problem_of(bad) == (400, "body_invalid")
    assert (await order(client)).status_code == 201


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_failure_is_taken_over_under_the_same_id(
    client: httpx.AsyncClient, shop: Shop, moment: str
) -> None:
    setattr(shop, moment, [RuntimeError("bug")])
    assert (await order(client)).status_code == 500
    assert (await order(client)).status_code == 201
    assert shop.runs[0] == shop.runs[1]
    assert len(shop.things) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_killed_server_does_nothing_twice_and_blocks_nothing(
    office: Office, client: httpx.AsyncClient, shop: Shop, moment: str
) -> None:
    setattr(shop, moment, [Crash()])
    with pytest.raises(Crash):
        await order(client)
    async with office.client(client.headers["authorization"].split()[1]) as restarted:
        assert problem_of(await order(restarted, "another")) == (422, "idempotency_key_reused")
        first, again = await order(restarted), await order(restarted)
    assert (first.status_code, again.content) == (201, first.content)
    assert shop.runs == [first.json()["id"]] * 2
    assert list(shop.things) == [first.json()["id"]]


async def test_a_key_is_free_again_after_a_day(
    office: Office, client: httpx.AsyncClient, shop: Shop
) -> None:
    await order(client)
    office.now += KEPT - 1
    assert (await order(client)).headers["idempotency-replayed"] == "true"
    office.now += 1
    assert (await order(client, "another")).status_code == 201
    assert len(shop.things) == 2


@pytest.mark.parametrize("text", ["", "a b", "x" * 256, "\t", "é"])
async def test_a_key_that_cannot_be(client: httpx.AsyncClient, text: str) -> None:
    headers = [(b"idempotency-key", text.encode())]
    answer = await client.post("/v1/things", json={}, headers=headers)
    assert problem_of(answer) == (400, "idempotency_key_invalid")
    twice = [("idempotency-key", "a"), ("idempotency-key", "a")]
    answer = await client.post("/v1/things", json={}, headers=twice)
    assert problem_of(answer) == (400, "idempotency_key_invalid")
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


async def test_what_is_kept_shows_no_secret(office: Office, client: httpx.AsyncClient) -> None:
    await order(client, "very-secret")
    rows = office.db._reader.connection().execute("SELECT * FROM requests").fetchall()
    assert len(rows) == 1
    assert "secret" not in repr(rows)

"""History and clicks are answered before the framework looks at them, and that cannot be told from outside."""

from __future__ import annotations

import httpx
import pytest

from trunkline.store.ports.database import DatabaseUnavailable, Page

from .conftest import DATES, HEADERS, World, histories_query

HISTORIES = "/oapi/v1/call/histories"
ORIGIN = {"origin": "https://crm.example.com"}
OURS = ("access-control-", "vary")
QUERIES = {
    "a page": histories_query(**DATES, limit="20", page="2"),
    "no app": {},
    "another hash": {**histories_query(**DATES), "hash": "0" * 64},
    "no dates": histories_query(page="1"),
    "a page of nothing": histories_query(**DATES, page="9999"),
}


def _told(answer: httpx.Response) -> tuple[object, ...]:
    headers = {name: value for name, value in answer.headers.items() if not name.startswith(OURS)}
    return answer.status_code, headers, answer.content


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
async def test_a_page_of_another_origin_is_told_the_same(
    world: World, query: dict[str, str]
) -> None:
    """Only such a request goes through the framework."""
    same_id = {"x-request-id": "request-17"}
    async with world.client() as client:
        direct = await client.get(HISTORIES, params=query, headers=same_id)
        framework = await client.get(HISTORIES, params=query, headers=same_id | ORIGIN)
    assert _told(direct) == _told(framework)
    assert "access-control-allow-origin" not in direct.headers
    assert "access-control-allow-origin" in framework.headers


async def test_head_is_without_a_body(world: World) -> None:
    async with world.client() as client:
        whole = await client.get(HISTORIES, params=QUERIES["a page"])
        head = await client.head(HISTORIES, params=QUERIES["a page"])
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))


async def test_a_wrong_hash_is_counted_once(world: World) -> None:
    async with world.client(auth_failures="2/minute") as client:
        said = [
            (await client.get(HISTORIES, params=QUERIES["another hash"])).json()["message"]
            for _ in range(3)
        ]
    assert said == ["HASH_NOT_MATCH", "HASH_NOT_MATCH", "RATE_LIMITED"]


async def test_a_request_is_counted_once(world: World) -> None:
    async with world.client(request_rate="2/minute") as client:
        codes = [
            (await client.get(HISTORIES, params=QUERIES["no dates"])).status_code for _ in range(3)
        ]
    assert codes == [400, 400, 503]


async def test_a_database_that_is_away_is_told_as_everywhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> Page:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(world.db.calls, "page", away)
    async with world.client() as client:
        answer = await client.get(HISTORIES, params=QUERIES["a page"])
    assert (answer.status_code, answer.json()["message"]) == (503, "ENGINE_UNAVAILABLE")


async def test_metrics_know_its_route(world: World) -> None:
    async with world.client() as client:
        await client.get(HISTORIES, params=QUERIES["a page"])
        await client.get(HISTORIES, params=QUERIES["no app"])
        await client.post(HISTORIES, headers=HEADERS)
        told = (await client.get("/metrics")).text
    counted = [
        line for line in told.splitlines() if f'route="{HISTORIES}"' in line and "total" in line
    ]
    assert any('method="GET"' in line and 'status="200"' in line for line in counted)
    assert any('method="GET"' in line and 'status="401"' in line for line in counted)


CLICK = "/oapi/v1/call/click-to-call/"
BODY = {"sipUser": "an1", "sipPassword": "secret"}
CLICKS = {
    "a call": ("0901234599", BODY, HEADERS),
    "no app": ("0901234599", BODY, {}),
    "another hash": ("0901234599", BODY, {**HEADERS, "x-auth-app-hash": "0" * 64}),
    "a body that is none": ("0901234599", {"sipUser": ""}, HEADERS),
    "no number": ("x", BODY, HEADERS),
    "a number in pieces": ("090/12", BODY, HEADERS),
}


@pytest.mark.parametrize(("number", "body", "headers"), CLICKS.values(), ids=list(CLICKS))
async def test_a_click_of_another_origin_is_told_the_same(
    world: World, number: str, body: dict[str, str], headers: dict[str, str]
) -> None:
    """Only such a request goes through the framework, which has not read its body yet."""
    same_id = {**headers, "x-request-id": "request-17"}
    async with world.client() as client:
        direct = await client.post(CLICK + number, json=body, headers=same_id)
        framework = await client.post(CLICK + number, json=body, headers=same_id | ORIGIN)
    assert _told(direct) == _told(framework)


async def test_a_click_that_is_refused_places_nothing_and_its_route_is_known(world: World) -> None:
    async with world.client() as client:
        wrong = {**HEADERS, "x-auth-app-hash": "0" * 64}
        codes = [
            (await client.post(f"{CLICK}0901234599", json=BODY, headers=each)).status_code
            for each in (HEADERS, wrong)
        ]
        told = (await client.get("/metrics")).text
    counted = [line for line in told.splitlines() if f'route="{CLICK}{{number}}"' in line]
    assert codes == [200, 401]
    for status in codes:
        assert any(f'status="{status}"' in line and "total" in line for line in counted)

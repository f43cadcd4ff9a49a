"""The four calls, when all is well."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from .conftest import (
    ACCOUNT,
    APP_ID,
    DATES,
    FINISHED,
    HEADERS,
    NOW,
    SECRET,
    World,
    app,
    histories_query,
    media_query,
    sha,
)

TOKEN = "/oapi/v1/voice/auth_token"
CALL = "/oapi/v1/call/click-to-call/"
HISTORIES = "/oapi/v1/call/histories"
PLAY = "/oapi/v1/call/play_recording"
BODY = {"sipUser": "s1", "sipPassword": "p"}


def links_of(answer: httpx.Response) -> dict[str, str]:
    return {rel: url for url, rel in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["link"])}


async def test_a_token_is_given_and_only_its_hash_is_kept(
    world: World, client: httpx.AsyncClient
) -> None:
    answer = await client.post(TOKEN, headers=HEADERS)
    token = answer.json()
    assert list(token) == ["value", "expire", "account_id"]
    assert re.fullmatch("[0-9a-f]{32}", token["value"])
    assert token["expire"] == NOW // 1_000_000 + 3600
    assert token["account_id"] == ACCOUNT
    digest = hashlib.sha256(token["value"].encode()).hexdigest()
    assert world.db.tokens.added == [(digest, APP_ID, ACCOUNT, token["expire"] * 1_000_000)]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"not json", b"x" * 100_000], ids=["none", "json", "other", "large"]
)
async def test_a_token_needs_no_body(client: httpx.AsyncClient, content: bytes) -> None:
    assert (await client.post(TOKEN, headers=HEADERS, content=content)).status_code == 200


async def test_a_call_is_placed(world: World, client: httpx.AsyncClient) -> None:
    body = {**BODY, "clientRef": "ticket 7", "more": 1}
    answer = await client.post(
        CALL + "0901234567", headers={**HEADERS, "idempotency-key": "k-1"}, json=body
    )
    assert answer.json() == {"success": True, "message": "OK", "call_id": "1" * 32}
    [wanted] = world.place_call.wanted
    assert (wanted.number, wanted.sip_user, wanted.sip_password) == ("0901234567", "s1", "p")
    assert (wanted.client_ref, wanted.idempotency_key) == ("ticket 7", "k-1")


@pytest.mark.parametrize(
    "kind", [None, "application/json", "application/json; charset=utf-8", "text/plain"]
)
async def test_the_body_is_json_whatever_it_is_called(
    client: httpx.AsyncClient, kind: str | None
) -> None:
    headers = HEADERS if kind is None else {**HEADERS, "content-type": kind}
    answer = await client.post(
        CALL + "113", headers=headers, content=b'{"sipUser":"s1","sipPassword":""}'
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["a%2Fb", "a/b", "%00", "%ff", "%2B84", "..%2f..%2fetc", "%F0%9F%98%80", "1" * 2000 + "x"],
)
async def test_any_number_reaches_the_verb_that_judges_it(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(CALL + path, headers=HEADERS, json=BODY)
    assert answer.json()["message"] == "NUMBER_INVALID"


async def test_a_page_of_history(world: World, client: httpx.AsyncClient) -> None:
    answer = await client.get(HISTORIES, params=histories_query(**DATES))
    assert len(answer.json()) == 20
    assert list(answer.json()[0]) == [
        "caller",
        "callee",
        "class",
        "did_number",
        "direction",
        "status_detail",
        "duration_seconds",
        "unix_timestamp",
        "billing_seconds",
        "recording",
        "call_id",
    ]
    assert answer.headers["x-total-count"] == "45"
    expected = (ACCOUNT, 1517969973_000_000, 1517987062_000_000, 20, 1)
    assert world.db.calls.asked == [expected]


async def test_the_links_lead_over_every_page_and_back(
    world: World, client: httpx.AsyncClient
) -> None:
    params = histories_query(created_from="2018-02-01", created_to="2018-02-07", limit="10")
    answer = await client.get(HISTORIES, params=params)
    seen = [one["call_id"] for one in answer.json()]
    assert set(links_of(answer)) == {"first", "next", "last"}
    while "next" in links_of(answer):
        answer = await client.get(links_of(answer)["next"])
        seen += [one["call_id"] for one in answer.json()]
    assert seen == [f"call-{n}" for n in range(45)]
    assert set(links_of(answer)) == {"first", "prev", "last"}
    first = await client.get(links_of(answer)["first"])
    assert first.json()[0]["call_id"] == "call-0"
    assert links_of(first)["last"] == str(answer.url)


async def test_the_secret_is_in_no_link(client: httpx.AsyncClient) -> None:
    answer = await client.get(HISTORIES, params=histories_query(**DATES))
    assert SECRET not in answer.headers["link"]


@pytest.mark.parametrize("page", ["4", "99999999999999999999", "9" * 5000])
async def test_a_page_past_the_end_is_empty(client: httpx.AsyncClient, page: str) -> None:
    answer = await client.get(HISTORIES, params=histories_query(**DATES, page=page))
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["x-total-count"] == "45"
    assert parse_qs(links_of(answer)["prev"])["page"] == ["3"]


async def test_no_calls_at_all(world: World, client: httpx.AsyncClient) -> None:
    world.db.calls.total = 0
    answer = await client.get(HISTORIES, params=histories_query(**DATES))
    assert (answer.json(), answer.headers["x-total-count"]) == ([], "0")
    assert set(links_of(answer)) == {"first", "last"}


@pytest.mark.parametrize(
    ("limit", "page"), [("20", "1"), ("", ""), ("5", ""), ("5", "1"), ("", "3"), ("20", "3")]
)
async def test_both_orders_over_what_was_sent_or_its_default(
    client: httpx.AsyncClient, limit: str, page: str
) -> None:
    """A limit of 20 and a page of 1 may also be left out of the query, and still be hashed."""
    dates = DATES["created_from"] + DATES["created_to"]
    hashes = (sha(APP_ID, dates, limit, page, SECRET), sha(dates, limit, page, APP_ID, SECRET))
    sent: dict[str, str] = {"appId": APP_ID, **DATES}
    sent |= {"limit": limit} if limit not in ("", "20") else {}
    sent |= {"page": page} if page not in ("", "1") else {}
    for made in hashes:
        answer = await client.get(HISTORIES, params={**sent, "hash": made})
        assert answer.status_code == 200


@pytest.mark.parametrize("plus", ["+", "%2B"])
async def test_an_offset_may_be_sent_unescaped(
    world: World, client: httpx.AsyncClient, plus: str
) -> None:
    start, end = "2018-02-07T09:00:00+07:00", "2018-02-07T10:00:00+07:00"
    made = sha(APP_ID, start, end, SECRET)
    query = f"appId={APP_ID}&created_from={start}&created_to={end}&hash={made}"
    answer = await client.get(HISTORIES + "?" + query.replace("+", plus))
    assert answer.status_code == 200
    assert world.db.calls.asked[0][1:3] == (1517968800_000_000, 1517972400_000_000)
    assert (await client.get(links_of(answer)["last"])).status_code == 200


async def test_head_tells_the_headers_of_get(client: httpx.AsyncClient) -> None:
    answer = await client.head(HISTORIES, params=histories_query(**DATES))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-total-count"] == "45"


async def test_a_recording_is_shown(world: World) -> None:
    async with world.client(public_url="https://phone.example.com/") as client:
        link = (await client.get(PLAY, params=media_query(FINISHED))).json()["media"]
    assert link.startswith(f"https://phone.example.com/recordings/{FINISHED}?expires=")
    assert parse_qs(urlsplit(link).query)["expires"] == [str(NOW // 1_000_000 + 300)]


async def test_a_link_starts_with_the_host_that_was_asked(client: httpx.AsyncClient) -> None:
    link = (await client.get(PLAY, params=media_query(FINISHED))).json()["media"]
    assert link.startswith(f"http://phone.test/recordings/{FINISHED}?")


async def test_unknown_and_foreign_recordings_are_told_alike(client: httpx.AsyncClient) -> None:
    def less_id(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
        return answer.status_code, {**answer.json(), "request_id": ""}

    names = ("call_recording_unknown.mp3", "call_recording_theirs.mp3")
    unknown, theirs = [less_id(await client.get(PLAY, params=media_query(n))) for n in names]
    assert unknown == theirs


async def test_a_recording_in_the_making_says_when_to_ask_again(client: httpx.AsyncClient) -> None:
    answer = await client.get(PLAY, params=media_query("call_recording_waiting.mp3"))
    assert answer.status_code == 409
    assert int(answer.headers["retry-after"]) > 0


async def test_dates_without_an_offset_are_the_accounts(
    world: World, client: httpx.AsyncClient
) -> None:
    world.db.directory.apps[APP_ID] = app(timezone="America/New_York")
    params = histories_query(created_from="2018-03-11", created_to="2018-03-11")
    assert (await client.get(HISTORIES, params=params)).status_code == 200
    [(_, start, end, *_)] = world.db.calls.asked
    assert end - start == 23 * 3600 * 1_000_000


async def test_options_tells_the_methods(client: httpx.AsyncClient) -> None:
    answer = await client.options(HISTORIES)
    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


async def test_pages_of_other_origins_may_use_it_where_that_is_set(world: World) -> None:
    ours, other = "https://crm.example.com", "https://other.example.com"
    preflight = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-auth-app-id",
    }
    async with world.client(cors_origins=f"{ours}, https://x.example.com") as client:
        good = await client.options(TOKEN, headers={"origin": ours, **preflight})
        assert good.status_code == 204
        assert good.headers["access-control-allow-origin"] == ours
        assert "x-auth-app-id" in good.headers["access-control-allow-headers"]
        bad = await client.options(TOKEN, headers={"origin": other, **preflight})
        assert bad.status_code == 400
        answer = await client.get("/", headers={"origin": other})
        assert "access-control-allow-origin" not in answer.headers
        failed = await client.get(HISTORIES, headers={"origin": ours})
        assert failed.headers["access-control-allow-origin"] == ours

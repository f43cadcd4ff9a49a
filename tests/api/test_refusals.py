"""The order of refusals, and the one shape in which they are told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from trunkline.api.http.errors import ERRORS
from trunkline.work.refused import Refused

from .conftest import (
    APP_ID,
    DATES,
    FINISHED,
    HEADERS,
    SECRET,
    World,
    app,
    histories_query,
    media_query,
    sha,
)

TOKEN = "/oapi/v1/voice/auth_token"
CALL = "/oapi/v1/call/click-to-call/0901234567"
HISTORIES = "/oapi/v1/call/histories"
PLAY = "/oapi/v1/call/play_recording"

BODY = {"sipUser": "s1", "sipPassword": "p"}
WRONG = "0" * 64


def assert_error(answer: httpx.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["message"]) == (ERRORS[code].status, code)
    body = answer.json()
    assert list(body) == ["success", "message", "detail", "request_id"]
    assert body["success"] is False
    assert len(body["detail"]) > 10
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"


GET_CASES: list[tuple[str, dict[str, Any], str]] = [
    (HISTORIES, {}, "APPID_MISSING"),
    (HISTORIES, {"appId": "", "hash": WRONG}, "APPID_MISSING"),
    (HISTORIES, {"appId": APP_ID}, "APPID_MISSING"),
    (HISTORIES, {"appId": APP_ID, "hash": ""}, "APPID_MISSING"),
    (HISTORIES, {"appId": "b" * 32, "hash": WRONG, **DATES}, "APPID_NOT_FOUND"),
    (HISTORIES, {"appId": "'; drop", "hash": WRONG, **DATES}, "APPID_NOT_FOUND"),
    (HISTORIES, {"appId": [APP_ID, APP_ID], "hash": WRONG}, "APPID_NOT_FOUND"),
    (HISTORIES, {"appId": APP_ID, "hash": WRONG}, "HASH_NOT_MATCH"),
    (HISTORIES, {"appId": APP_ID, "hash": WRONG, "limit": "x"}, "HASH_NOT_MATCH"),
    (HISTORIES, {"appId": APP_ID, "hash": "é" * 64}, "HASH_NOT_MATCH"),
    (HISTORIES, {**histories_query(**DATES), "page": "2"}, "HASH_NOT_MATCH"),
    (HISTORIES, {"appId": APP_ID, "hash": sha(APP_ID, SECRET)}, "HASH_NOT_MATCH"),
    (HISTORIES, {"appId": APP_ID, "hash": sha(APP_ID, "20", "1", SECRET)}, "DATE_REQUIRED"),
    (HISTORIES, histories_query(created_from="2018-02-07"), "DATE_REQUIRED"),
    (HISTORIES, histories_query(created_to="2018-02-07", limit="0"), "DATE_REQUIRED"),
    (HISTORIES, histories_query(created_from="x", created_to="2018-02-07"), "DATE_INVALID"),
    (
        HISTORIES,
        histories_query(created_from="2018-02-30", created_to="2018-03-01"),
        "DATE_INVALID",
    ),
    (
        HISTORIES,
        histories_query(created_from="2018-02-08", created_to="2018-02-01"),
        "RANGE_INVALID",
    ),
    (
        HISTORIES,
        histories_query(created_from="2018-01-01", created_to="2018-02-01"),
        "RANGE_TOO_LARGE",
    ),
    *[
        (HISTORIES, histories_query(**DATES, limit=text), "LIMIT_INVALID")
        for text in ("0", "101", "-1", "1.0", "+5", "05", " 5", "", "٣", "1" * 5000)
    ],
    *[
        (HISTORIES, histories_query(**DATES, page=text), "PAGE_INVALID")
        for text in ("0", "-1", "1.5", "01", "", "x", "²")
    ],
    (HISTORIES, {**histories_query(**DATES, limit="5"), "limit": ["5", "6"]}, "LIMIT_INVALID"),
    (HISTORIES, {**histories_query(**DATES, limit="6"), "limit": ["5", "6"]}, "LIMIT_INVALID"),
    (HISTORIES, {**histories_query(**DATES, page="5"), "page": ["5", "6"]}, "PAGE_INVALID"),
    (
        HISTORIES,
        {**histories_query(**DATES), "created_to": [DATES["created_to"]] * 2},
        "DATE_INVALID",
    ),
    (PLAY, {}, "APPID_MISSING"),
    (PLAY, {"appId": APP_ID, "media": FINISHED, "hash": WRONG}, "HASH_NOT_MATCH"),
    (PLAY, {"appId": APP_ID, "hash": sha(APP_ID, SECRET)}, "MEDIA_INVALID"),
    (PLAY, media_query(""), "MEDIA_INVALID"),
    (PLAY, media_query("../../etc/passwd"), "MEDIA_INVALID"),
    (PLAY, media_query("call_recording_.mp3"), "MEDIA_INVALID"),
    (PLAY, media_query("call_recording_a.mp3\n"), "MEDIA_INVALID"),
    (PLAY, {**media_query(FINISHED), "media": [FINISHED, FINISHED]}, "MEDIA_INVALID"),
    (PLAY, media_query("call_recording_unknown.mp3"), "RECORDING_NOT_FOUND"),
    (PLAY, media_query("call_recording_theirs.mp3"), "RECORDING_NOT_FOUND"),
    (PLAY, media_query("call_recording_failed.mp3"), "RECORDING_NOT_FOUND"),
    (PLAY, media_query("call_recording_waiting.mp3"), "RECORDING_NOT_READY"),
]


@pytest.mark.parametrize(("path", "params", "code"), GET_CASES)
async def test_a_get_call_is_refused(
    client: httpx.AsyncClient, path: str, params: dict[str, Any], code: str
) -> None:
    assert_error(await client.get(path, params=params), code)


POST_CASES: list[tuple[dict[str, str], str]] = [
    ({}, "APPID_MISSING"),
    ({"x-auth-app-id": APP_ID}, "APPID_MISSING"),
    ({"x-auth-app-hash": WRONG}, "APPID_MISSING"),
    ({"x-auth-app-id": "b" * 32, "x-auth-app-hash": WRONG}, "APPID_NOT_FOUND"),
    ({"x-auth-app-id": APP_ID, "x-auth-app-hash": WRONG}, "HASH_NOT_MATCH"),
    ({**HEADERS, "x-auth-app-hash": HEADERS["x-auth-app-hash"].upper()}, "HASH_NOT_MATCH"),
]


@pytest.mark.parametrize("path", [TOKEN, CALL])
@pytest.mark.parametrize(("headers", "code"), POST_CASES)
async def test_a_post_call_is_refused_before_its_body_is_looked_at(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], code: str
) -> None:
    assert_error(await client.post(path, headers=headers, content=b"{" * 100_000), code)


BODY_CASES = [
    (b"", "BODY_INVALID"),
    (b"{", "BODY_INVALID"),
    (b"[]", "BODY_INVALID"),
    (b"null", "BODY_INVALID"),
    (b"[" * 60_000, "BODY_INVALID"),
    (b'{"sipUser": "s1"}', "BODY_INVALID"),
    (b'{"sipPassword": "p"}', "BODY_INVALID"),
    (b'{"sipUser": "", "sipPassword": "p"}', "BODY_INVALID"),
    (b'{"sipUser": 7, "sipPassword": "p"}', "BODY_INVALID"),
    (b'{"sipUser": "s\\u0000", "sipPassword": "p"}', "BODY_INVALID"),
    (b'{"sipUser": "s\\ud800", "sipPassword": "p"}', "BODY_INVALID"),
    (b'{"sipUser": "s1\xff", "sipPassword": "p"}', "BODY_INVALID"),
    (b'{"sipUser": "s1", "sipPassword": "p", "clientRef": 7}', "BODY_INVALID"),
    (b'{"sipUser": "s1", "sipPassword": "p", "clientRef": "%s"}' % (b"x" * 257), "BODY_INVALID"),
    (b"sipUser=s1&sipPassword=p", "BODY_INVALID"),
    (b" " * 65_537, "BODY_TOO_LARGE"),
]


@pytest.mark.parametrize(("body", "code"), BODY_CASES)
async def test_a_click_to_call_with_a_bad_body_is_refused(
    client: httpx.AsyncClient, body: bytes, code: str
) -> None:
    answer = await client.post(CALL, headers=HEADERS, content=body)
    assert_error(answer, code)


async def test_a_bad_body_is_not_echoed(client: httpx.AsyncClient) -> None:
    body = b'{"sipUser": 7, "sipPassword": "hunter2"}'
    assert "hunter2" not in (await client.post(CALL, headers=HEADERS, content=body)).text


async def test_a_body_in_pieces_is_cut_off_too(client: httpx.AsyncClient) -> None:
    async def pieces() -> Any:
        for _ in range(100):
            yield b" " * 1000

    assert_error(await client.post(CALL, headers=HEADERS, content=pieces()), "BODY_TOO_LARGE")


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_an_odd_idempotency_key_is_refused(client: httpx.AsyncClient, key: str) -> None:
    headers = {**HEADERS, "idempotency-key": key}
    assert_error(await client.post(CALL, headers=headers, json=BODY), "BODY_INVALID")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", TOKEN, {"POST", "OPTIONS"}),
        ("GET", CALL, {"POST", "OPTIONS"}),
        ("HEAD", CALL, {"POST", "OPTIONS"}),
        ("DELETE", CALL, {"POST", "OPTIONS"}),
        ("POST", HISTORIES, {"GET", "HEAD", "OPTIONS"}),
        ("PUT", PLAY, {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/recordings/x", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/internal/sync", {"POST", "OPTIONS"}),
        ("BREW", PLAY, {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_the_method_is_refused_first(
    client: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    if method != "HEAD":
        assert_error(answer, "METHOD_NOT_SUPPORT")


@pytest.mark.parametrize("path", ["/nothing", "/oapi/v1/call", "/docs/other.js", "/oapi/v1/call/x"])
async def test_an_unknown_path_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert_error(await client.get(path), "NOT_FOUND")


async def test_what_the_verb_refuses_is_told(world: World, client: httpx.AsyncClient) -> None:
    for code, kind in ERRORS.items():
        world.place_call.refusal = Refused(code, "In the verb's own words.", 7)
        answer = await client.post(CALL, headers=HEADERS, json=BODY)
        assert_error(answer, code)
        assert answer.json()["detail"] == "In the verb's own words."
        assert answer.headers["retry-after"] == "7"
        assert answer.status_code == kind.status


async def test_a_fault_of_ours_tells_nothing(world: World, client: httpx.AsyncClient) -> None:
    world.place_call.refusal = RuntimeError("secret detail")
    answer = await client.post(CALL, headers=HEADERS, json=BODY)
    assert_error(answer, "INTERNAL")
    assert "secret detail" not in answer.text


async def test_a_database_that_takes_no_write_is_told(
    world: World, client: httpx.AsyncClient
) -> None:
    world.db.tokens.broken = True
    answer = await client.post(TOKEN, headers=HEADERS)
    assert_error(answer, "ENGINE_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0


async def test_an_app_is_unknown_outside_its_addresses(world: World) -> None:
    world.db.directory.apps[APP_ID] = app(allowed_addresses=("192.0.2.0/24", "2001:db8::1"))
    for address, status in (
        ("192.0.2.9", 200),
        ("::ffff:192.0.2.9", 200),
        ("2001:db8::1", 200),
        ("198.51.100.1", 401),
        ("", 401),
    ):
        async with world.client(address) as client:
            answer = await client.post(TOKEN, headers=HEADERS)
            assert answer.status_code == status, address
            if status == 401:
                assert_error(answer, "APPID_NOT_FOUND")


async def test_a_read_only_app_may_read_but_not_call(
    world: World, client: httpx.AsyncClient
) -> None:
    world.db.directory.apps[APP_ID] = app(read_only=True)
    answer = await client.post(CALL, headers=HEADERS, json=BODY)
    assert_error(answer, "DESTINATION_NOT_ALLOWED")
    assert (await client.post(TOKEN, headers=HEADERS)).status_code == 200
    assert world.place_call.wanted == []


async def test_wrong_hashes_lock_out_their_own_address_only(world: World) -> None:
    from trunkline.api.application import build_api

    from .conftest import client_of

    api = build_api(world.deps(auth_failures="3/minute"))
    wrong = {**HEADERS, "x-auth-app-hash": WRONG}
    async with client_of(api, "192.0.2.1") as guesser, client_of(api, "192.0.2.2") as other:
        for _ in range(3):
            assert_error(await guesser.post(TOKEN, headers=wrong), "HASH_NOT_MATCH")
        locked = await guesser.post(TOKEN, headers=HEADERS)
        assert_error(locked, "RATE_LIMITED")
        assert 1 <= int(locked.headers["retry-after"]) <= 60
        assert (await other.post(TOKEN, headers=HEADERS)).status_code == 200


async def test_a_whole_ipv6_network_is_locked_out_at_once(world: World) -> None:
    from trunkline.api.application import build_api

    from .conftest import client_of

    api = build_api(world.deps(auth_failures="2/minute"))
    wrong = {**HEADERS, "x-auth-app-hash": WRONG}
    for last in ("1", "2"):
        async with client_of(api, f"2001:db8::{last}") as one:
            assert_error(await one.post(TOKEN, headers=wrong), "HASH_NOT_MATCH")
    async with client_of(api, "2001:db8::3") as one:
        assert_error(await one.post(TOKEN, headers=HEADERS), "RATE_LIMITED")


async def test_an_app_that_asks_too_often_is_slowed(world: World) -> None:
    async with world.client(request_rate="2/hour", call_rate="1/hour") as client:
        for _ in range(2):
            assert (await client.get(HISTORIES, params=histories_query(**DATES))).is_success
        slowed = await client.post(TOKEN, headers=HEADERS)
        assert_error(slowed, "RATE_LIMITED")
        assert 1 <= int(slowed.headers["retry-after"]) <= 3600
        assert (await client.post(CALL, headers=HEADERS, json=BODY)).is_success
        assert_error(await client.post(CALL, headers=HEADERS, json=BODY), "RATE_LIMITED")


def test_a_rate_that_is_none_is_refused_at_the_start(world: World) -> None:
    with pytest.raises(ValueError):
        world.client(request_rate="often")


async def test_a_sane_request_id_is_kept_and_another_replaced(client: httpx.AsyncClient) -> None:
    kept = await client.get("/", headers={"x-request-id": "trace-12345678"})
    assert kept.headers["x-request-id"] == "trace-12345678"
    for odd in ("short", "x" * 65, "with space in it"):
        made = await client.get("/", headers={"x-request-id": odd})
        assert len(made.headers["x-request-id"]) == 32

"""The signed scheme: nothing can be altered, and nothing is taken twice."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import httpx
import pytest

from trunkline.api.oapi.signatures import SKEW, Nonces, Signed
from trunkline.work.refused import Refused

from .conftest import APP_ID, DATES, FINISHED, HEADERS, NOW, SECRET, World, app, histories_query

CALL = "/oapi/v1/call/click-to-call/%2B84901234567"
BODY = b'{"sipUser":"s1","sipPassword":"p"}'
NONCE = "n" * 20
START = NOW // 1_000_000


def signed(
    method: str,
    target: str,
    body: bytes = b"",
    nonce: str = NONCE,
    at: int = START,
    secret: str = SECRET,
) -> dict[str, str]:
    lines = [method, target, str(at), nonce, hashlib.sha256(body).hexdigest()]
    made = hmac.new(secret.encode(), "\n".join(lines).encode(), "sha256").hexdigest()
    return {
        "x-auth-app-id": APP_ID,
        "x-auth-timestamp": str(at),
        "x-auth-nonce": nonce,
        "x-auth-signature": made,
    }


TARGET = (
    "/oapi/v1/call/histories?created_from=2018-02-01T00%3A00%3A00%2B07%3A00&created_to=2018-02-07"
)


async def code(answer: httpx.Response) -> str:
    return "OK" if answer.is_success else str(answer.json()["message"])


async def test_every_call_can_be_signed(client: httpx.AsyncClient) -> None:
    token = "/oapi/v1/voice/auth_token"
    assert (await client.post(token, headers=signed("POST", token))).status_code == 200
    number = "/oapi/v1/call/click-to-call/113"
    headers = signed("POST", number, BODY, "m" * 20)
    assert (await client.post(number, headers=headers, content=BODY)).status_code == 200
    answer = await client.get(TARGET, headers=signed("GET", TARGET, nonce="o" * 20))
    assert answer.status_code == 200
    assert "hash=" not in answer.headers["link"]
    play = f"/oapi/v1/call/play_recording?media={FINISHED}"
    headers = signed("GET", play, nonce="p" * 20)
    assert (await client.get(play, headers=headers)).status_code == 200


async def test_the_path_is_signed_as_it_was_sent(client: httpx.AsyncClient) -> None:
    answer = await client.post(CALL, headers=signed("POST", CALL, BODY), content=BODY)
    assert await code(answer) == "NUMBER_INVALID"


@pytest.mark.parametrize(
    "change",
    [
        {"x-auth-timestamp": str(START + 1)},
        {"x-auth-nonce": "m" * 20},
        {"x-auth-signature": "0" * 64},
        {"x-auth-signature": "short"},
        {"x-auth-timestamp": ""},
        {"x-auth-timestamp": "9" * 5000},
        {"x-auth-nonce": "short"},
        {"x-auth-nonce": "white space in a nonce"},
    ],
)
async def test_an_altered_header_is_noticed(
    client: httpx.AsyncClient, change: dict[str, str]
) -> None:
    headers = {**signed("GET", TARGET), **change}
    assert await code(await client.get(TARGET, headers=headers)) == "HASH_NOT_MATCH"


async def test_an_altered_request_is_noticed(client: httpx.AsyncClient) -> None:
    number = "/oapi/v1/call/click-to-call/113"
    headers = signed("POST", number, BODY)
    others: list[dict[str, Any]] = [
        {"url": number + "?x=1", "content": BODY},
        {"url": number + "4", "content": BODY},
        {"url": number, "content": BODY + b" "},
    ]
    for other in others:
        answer = await client.post(headers=headers, **other)
        assert await code(answer) == "HASH_NOT_MATCH"
    assert await code(await client.post(number, headers=headers, content=BODY)) == "OK"


async def test_a_signature_is_good_once(client: httpx.AsyncClient) -> None:
    headers = signed("GET", TARGET)
    assert await code(await client.get(TARGET, headers=headers)) == "OK"
    again = await client.get(TARGET, headers=headers)
    assert await code(again) == "HASH_NOT_MATCH"
    assert "nonce" in again.json()["detail"]


async def test_a_timestamp_has_five_minutes(world: World, client: httpx.AsyncClient) -> None:
    world.now += 1_000_000 * 1_000_000
    now = world.now // 1_000_000
    for offset, expected in (
        (-301, "HASH_NOT_MATCH"),
        (-300, "OK"),
        (300, "OK"),
        (301, "HASH_NOT_MATCH"),
    ):
        headers = signed("GET", TARGET, nonce=f"nonce-number-{offset + 1000}", at=now + offset)
        assert await code(await client.get(TARGET, headers=headers)) == expected


async def test_a_restart_lets_nothing_be_replayed(world: World) -> None:
    """What was stamped before it is refused; what was stamped ahead of it is written down."""
    world.now += 500_000
    past, ahead = START - 10, START + 60
    kept = [signed("GET", TARGET, nonce=f"nonce-{at}-{'x' * 9}", at=at) for at in (past, ahead)]
    world.now -= 30_000_000
    async with world.client() as client:
        world.now += 30_000_000
        for headers in kept:
            assert await code(await client.get(TARGET, headers=headers)) == "OK"
    world.now += 5_000_000
    async with world.client() as client:
        world.now += 60_000_000
        for headers in kept:
            assert await code(await client.get(TARGET, headers=headers)) == "HASH_NOT_MATCH"


async def test_an_app_can_make_signing_compulsory(world: World, client: httpx.AsyncClient) -> None:
    world.db.directory.apps[APP_ID] = app(legacy_hashes=False)
    hashed = await client.post("/oapi/v1/voice/auth_token", headers=HEADERS)
    assert await code(hashed) == "HASH_NOT_MATCH"
    assert "signed" in hashed.json()["detail"]
    hashed = await client.get("/oapi/v1/call/histories", params=histories_query(**DATES))
    assert await code(hashed) == "HASH_NOT_MATCH"
    assert await code(await client.get(TARGET, headers=signed("GET", TARGET))) == "OK"


async def test_a_wrong_hash_does_not_tell_that_signing_is_compulsory(
    world: World, client: httpx.AsyncClient
) -> None:
    world.db.directory.apps[APP_ID] = app(legacy_hashes=False)
    headers = {**HEADERS, "x-auth-app-hash": "0" * 64}
    answer = await client.post("/oapi/v1/voice/auth_token", headers=headers)
    assert "signed" not in answer.json()["detail"].replace("signature", "")


async def test_who_signs_must_be_known(client: httpx.AsyncClient) -> None:
    unknown = {**signed("GET", TARGET), "x-auth-app-id": "b" * 32}
    assert await code(await client.get(TARGET, headers=unknown)) == "APPID_NOT_FOUND"
    nobody = {**signed("GET", TARGET), "x-auth-app-id": ""}
    assert await code(await client.get(TARGET, headers=nobody)) == "APPID_MISSING"


def test_nonces_are_bounded_for_each_app_and_forgotten_in_time() -> None:
    nonces = Nonces(NOW, most=2)

    def take(app_id: str, number: int, now: int) -> None:
        nonces.take(Signed(app_id, str(now // 1_000_000), f"nonce{number}", ""), now)

    take("a", 1, NOW)
    take("a", 2, NOW)
    take("b", 1, NOW)
    with pytest.raises(Refused, match="RATE_LIMITED"):
        take("a", 3, NOW)
    later = NOW + (2 * SKEW + 1) * 1_000_000
    take("a", 3, later)
    with pytest.raises(Refused, match="HASH_NOT_MATCH"):
        take("a", 1, later)
    take("a", 1, later + (2 * SKEW + 1) * 1_000_000)


async def test_a_request_to_one_process_is_not_taken_by_another() -> None:
    world = World()
    async with world.client(shared=True) as one, world.client(shared=True) as other:
        headers = signed("GET", TARGET)
        assert (await one.get(TARGET, headers=headers)).status_code == 200
        assert await code(await other.get(TARGET, headers=headers)) == "HASH_NOT_MATCH"
        world.now += 400 * 1_000_000  # well after their first minutes
        headers = signed("GET", TARGET, nonce="m" * 20, at=START + 399)
        assert (await other.get(TARGET, headers=headers)).status_code == 200
        assert await code(await one.get(TARGET, headers=headers)) == "HASH_NOT_MATCH"

"""Keys: who is let in, who is not, and what is told of it."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from at_once import at_once
from trunkline.directory.api_keys import new_key
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.work.manage import entries
from trunkline.work.manage import keys as manage_keys
from trunkline.work.manage.accounts import create_account

from .conftest import Office, problem_of, until

DAY = 86_400_000_000


async def test_a_key_shows_what_it_is(office: Office) -> None:
    entry, key = office.made(
        "events:read", "keys:read", expires_at=office.now + DAY, allowed_addresses=["192.0.2.0/24"]
    )
    async with office.client(key, v1_request_rate="50/second;1000/hour") as client:
        answer = await client.get("/v1/me")
    assert answer.status_code == 200
    assert answer.json() == {
        "key_id": entry.key_id,
        "account_id": office.account.account_id,
        "name": "test",
        "prefix": key[:12],
        "scopes": ["events:read", "keys:read"],
        "allowed_addresses": ["192.0.2.0/24"],
        "expires_at": "2023-11-15T22:13:20.000Z",
        "rate_limits": [{"requests": 50, "seconds": 1}, {"requests": 1000, "seconds": 3600}],
    }


@pytest.mark.parametrize("header", [None, "", "Basic dXNlcjpwdw==", "tlk_" + "a" * 43])
async def test_without_a_key_nothing_is_told(office: Office, header: str | None) -> None:
    async with office.client() as client:
        del client.headers["authorization"]
        answer = await client.get("/v1/me", headers={"authorization": header} if header else {})
    assert problem_of(answer) == (401, "key_missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="trunkline"'
    assert "ratelimit" not in answer.headers


async def test_whatever_is_wrong_with_a_key_is_told_alike(office: Office) -> None:
    entry, revoked = office.made()
    office.change(lambda d: manage_keys.revoke_key(d, entry.key_id))
    wrong = [
        new_key(secrets.token_bytes(32)),
        revoked,
        office.key(expires_at=office.now),
        office.key(allowed_addresses=["10.0.0.1"]),
        office.key()[:-1],
        office.key() + "=",
        "",
        "ü",
    ]
    told = []
    for key in wrong:
        async with office.client() as client:
            sent = f"Bearer {key}".encode()
            answer = await client.get("/v1/me", headers={"authorization": sent})
        assert problem_of(answer) == (401, "key_invalid")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        body = answer.json()
        told.append({name: body[name] for name in ("type", "title", "detail")})
    assert told == [told[0]] * len(wrong)


async def test_a_key_that_is_sent_twice_is_none(office: Office) -> None:
    bearer = ("authorization", f"Bearer {office.key()}")
    async with office.client() as client:
        client.headers = httpx.Headers([bearer, bearer])
        assert problem_of(await client.get("/v1/me")) == (401, "key_invalid")


@pytest.mark.parametrize("kind", ["bearer", "BEARER"])
async def test_the_scheme_is_of_any_case(office: Office, kind: str) -> None:
    async with office.client() as client:
        client.headers["authorization"] = f"{kind} {office.key()}"
        assert (await client.get("/v1/me")).status_code == 200


async def test_a_missing_scope_is_named(office: Office) -> None:
    async with office.client(office.key("events:read")) as client:
        answer = await client.get("/v1/keys")
    assert problem_of(answer) == (403, "scope_missing")
    assert "keys:read" in answer.json()["detail"]
    challenge = answer.headers["www-authenticate"]
    assert challenge == 'Bearer realm="trunkline", error="insufficient_scope", scope="keys:read"'


async def test_a_revoked_key_and_a_disabled_account_are_out_at_once(office: Office) -> None:
    entry, key = office.made()
    async with office.client(key) as client:
        assert (await client.get("/v1/me")).status_code == 200
        office.change(lambda d: entries.switch(d, entries.AccountEntry, office.account, False))
        assert (await client.get("/v1/me")).status_code == 401
        office.change(lambda d: entries.switch(d, entries.AccountEntry, office.account, True))
        assert (await client.get("/v1/me")).status_code == 200
        office.change(lambda d: manage_keys.revoke_key(d, entry.prefix))
        assert (await client.get("/v1/me")).status_code == 401


async def test_wrong_keys_are_told_to_wait_and_good_ones_are_not(office: Office) -> None:
    good = office.key()
    async with office.client(new_key(secrets.token_bytes(32)), auth_failures="3/minute") as client:
        told = [problem_of(await client.get("/v1/me")) for _ in range(5)]
        assert told == [(401, "key_invalid")] * 3 + [(429, "locked_out")] * 2
        locked = await client.get("/v1/me")
        assert 1 <= int(locked.headers["retry-after"]) <= 60
        client.headers["authorization"] = f"Bearer {good}"
        assert (await client.get("/v1/me")).status_code == 200


async def test_what_is_left_of_the_rate_is_told_in_every_answer(office: Office) -> None:
    async with office.client(office.key("events:read"), v1_request_rate="4/hour") as client:
        answers = [
            await client.get(path)
            for path in ("/v1/me", "/v1/keys", "/v1/events?limit=0", "/v1/events/x", "/v1/me")
        ]
    assert [answer.status_code for answer in answers] == [200, 403, 400, 404, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"hour";q=4;w=3600'}
    left = [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers]
    assert left == [f'"hour";r={n}' for n in (3, 2, 1, 0, 0)]
    assert problem_of(answers[-1]) == (429, "rate_limited")
    assert answers[-1].headers["retry-after"] == answers[-1].headers["ratelimit"].rpartition("=")[2]


async def test_rates_are_of_keys(office: Office) -> None:
    async with office.client(v1_request_rate="1/hour") as client:
        assert (await client.get("/v1/me")).status_code == 200
        assert (await client.get("/v1/me")).status_code == 429
        client.headers["authorization"] = f"Bearer {office.key()}"
        assert (await client.get("/v1/me")).status_code == 200


def last_used(office: Office) -> int | None:
    return at_once(office.db.keys.listed(office.account.account_id, (0, ""), 1))[0].last_used_at


async def test_when_a_key_was_used_is_noted_to_the_minute(office: Office) -> None:
    start = office.now
    async with office.client() as client:
        await client.get("/v1/me")
        await until(lambda: last_used(office) is not None)
        office.now = start + 59_000_000
        await client.get("/v1/me")
        await office.db.ping()  # whatever was to be written is written
        assert last_used(office) == start
        office.now = start + 60_000_000
        await client.get("/v1/me")
        await until(lambda: last_used(office) != start)
        assert last_used(office) == office.now


async def test_a_full_disk_keeps_no_reader_out(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise DatabaseUnavailable("disk full")

    monkeypatch.setattr(office.db.keys, "used", full)
    async with office.client() as client:
        assert (await client.get("/v1/me")).status_code == 200


async def test_keys_are_listed_page_by_page(office: Office) -> None:
    other = office.change(lambda d: create_account(d, "other"))
    office.key(account=other)
    made = [office.made("keys:read")[0].key_id for _ in range(5)]
    office.change(lambda d: manage_keys.revoke_key(d, made[1]))
    async with office.client(office.key("keys:read")) as client:
        url, pages = "/v1/keys?limit=2", []
        while url:
            answer = await client.get(url)
            pages.append(answer.json()["keys"])
            url = answer.links.get("next", {}).get("url", "")
    listed = [key for page in pages for key in page]
    assert [len(page) for page in pages] == [2, 2, 2]
    assert [key["key_id"] for key in listed][:5] == made
    assert [key["revoked"] for key in listed] == [False, True, False, False, False, False]
    assert all(key["prefix"].startswith("tlk_") and len(key["prefix"]) == 12 for key in listed)


async def test_a_cursor_is_good_for_its_own_list_only(office: Office) -> None:
    other = office.change(lambda d: create_account(d, "other"))
    for _ in range(3):
        office.key()
        office.key(account=other)
    async with office.client() as client:
        first = await client.get("/v1/keys?limit=1")
        cursor = httpx.URL(first.links["next"]["url"]).params["cursor"]
        assert (await client.get("/v1/keys", params={"cursor": cursor})).status_code == 200
        cursors = office.v1()._context.cursors
        foreign = cursors.make("deliveries", office.account.account_id, [1, ""])
        for wrong in (cursor[:-1], "x" + cursor, "", "a.b", cursor * 50, foreign, "é.é"):
            answer = await client.get("/v1/keys", params={"cursor": wrong})
            assert problem_of(answer) == (400, "cursor_invalid"), wrong
        client.headers["authorization"] = f"Bearer {office.key(account=other)}"
        answer = await client.get("/v1/keys", params={"cursor": cursor})
        assert problem_of(answer) == (400, "cursor_invalid")

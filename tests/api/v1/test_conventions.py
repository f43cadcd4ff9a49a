"""What holds for every endpoint of /v1: errors, parameters, bodies, headers, the document."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from msgspec import Meta

from trunkline.api.v1.conventions.problems import PROBLEMS
from trunkline.api.v1.conventions.routing import (
    MOST,
    Parameters,
    Request,
    RequestBody,
    Response,
    ResponseBody,
    Route,
)
from trunkline.api.v1.table import ROUTES
from trunkline.directory.api_keys import SCOPES
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.work.refused import Refused

from .conftest import Office, problem_of


class Colour(RequestBody, frozen=True, kw_only=True):
    red: Annotated[int, Meta(ge=0, le=255)] = 0


class ThingBody(RequestBody, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=10)]
    colours: tuple[Colour, ...] = ()
    parts: dict[str, Colour] | None = None


class ThingQuery(Parameters, frozen=True, kw_only=True):
    thing_id: Annotated[str, Meta(pattern="^[0-9a-f]{2}$")]
    size: Annotated[int, Meta(ge=1, le=MOST)] = 1
    loud: bool = False
    tags: tuple[str, ...] = ()
    word: Annotated[str, Meta(min_length=1)] | None = None
    must: str


class Thing(ResponseBody, frozen=True, kw_only=True):
    said: dict[str, Any]


async def put_thing(request: Request[ThingQuery, ThingBody]) -> Response:
    """Give back what was understood."""
    told = {name: getattr(request.parameters, name) for name in ThingQuery.__struct_fields__}
    return Response(
        Thing(said={**told, "name": request.body.name}), headers=((b"location", b"/x"),)
    )


async def fail(request: Request[Parameters, None]) -> Response:
    raise RuntimeError("secret words")


async def refuse(request: Request[Parameters, None]) -> Response:
    raise Refused("RATE_LIMITED", "as a verb says it", 7)


async def refuse_strangely(request: Request[Parameters, None]) -> Response:
    raise Refused("NEVER_HEARD_OF", "hm")


async def no_disk(request: Request[Parameters, None]) -> Response:
    raise DatabaseUnavailable("disk full")


async def nothing(request: Request[Parameters, None]) -> Response:
    return Response()


THINGS = (
    Route(
        "PUT", "/v1/things/{thing_id}", "calls:write", put_thing, "Put",
        parameters=ThingQuery, body=ThingBody, answer=Thing,
    ),
    Route("GET", "/v1/fail", None, fail, "Fail"),
    Route("GET", "/v1/refuse", None, refuse, "Refuse"),
    Route("GET", "/v1/strange", None, refuse_strangely, "Refuse strangely"),
    Route("POST", "/v1/no-disk", None, no_disk, "No disk", status=204),
    Route("DELETE", "/v1/nothing", None, nothing, "Nothing", status=204),
)  # fmt: skip


@pytest.fixture
async def things(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr("trunkline.api.application.ROUTES", (*ROUTES, *THINGS))
    async with office.client() as client:
        yield client


# ---- Parameters and bodies --------------------------------------------------------------------------


async def test_parameters_are_typed(things: httpx.AsyncClient) -> None:
    url = "/v1/things/ab?size=3&loud=true&tags=a,b&tags=c&word=x%2By&must="
    answer = await things.put(url, json={"name": "n"})
    assert answer.json() == {
        "said": {
            "thing_id": "ab", "size": 3, "loud": True, "tags": ["a", "b", "c"],
            "word": "x+y", "must": "", "name": "n",
        }
    }  # fmt: skip
    assert answer.headers["location"] == "/x"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("must=1&colour=red&Size=1", ["colour", "Size"]),
        ("", ["must"]),
        ("must=1&size=0", ["size"]),
        ("must=1&size=1.0", ["size"]),
        ("must=1&size=1e3", ["size"]),
        ("must=1&size=%D9%A3", ["size"]),
        ("must=1&size=9007199254740992", ["size"]),
        (f"must=1&size={'9' * 400}", ["size"]),
        ("must=1&size=", ["size"]),
        ("must=1&size=2&size=2", ["size"]),
        ("must=1&loud=yes", ["loud"]),
        ("must=1&word=", ["word"]),
        ("must=1&thing_id=cd", ["thing_id"]),
        ("size=x&loud=x&nope=x", ["nope", "size", "loud", "must"]),
        ("must=%FF", [None]),
        ("must=1&" + "tags=a&" * 200, [None]),
    ],
)
async def test_every_wrong_parameter_is_named(
    things: httpx.AsyncClient, query: str, named: list[str | None]
) -> None:
    answer = await things.put(f"/v1/things/ab?{query}", json={"name": "n"})
    assert problem_of(answer) == (400, "parameters_invalid")
    faults = answer.json()["errors"]
    assert [fault.get("parameter") for fault in faults] == named
    assert all(fault["detail"] for fault in faults)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("size=0", "Expected a whole number >= 1."),
        ("size=01", "Expected a whole number."),
        ("word=", "Expected a text of length >= 1."),
        ("loud=yes", "Expected true or false."),
    ],
)
async def test_what_was_expected_is_said_without_names_of_types(
    things: httpx.AsyncClient, query: str, expected: str
) -> None:
    answer = await things.put(f"/v1/things/ab?must=1&{query}", json={"name": "n"})
    assert [fault["detail"] for fault in answer.json()["errors"]] == [expected]


@pytest.mark.parametrize("path", ["x", "abc", "a%2Fb", "..", "%00"])
async def test_an_id_that_cannot_be_is_not_found(things: httpx.AsyncClient, path: str) -> None:
    answer = await things.put(f"/v1/things/{path}?must=1", json={"name": "n"})
    assert problem_of(answer) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", ""),
        (b"{", ""),
        (b"\xff", ""),
        (b"[" * 30_000, ""),
        (b"[]", ""),
        (b"{}", ""),
        (b'{"name": 1}', "/name"),
        (b'{"name": ""}', "/name"),
        (b'{"name": "n", "naem": "m"}', "/naem"),
        (b'{"name": "n", "a/b~c": "m"}', "/a~1b~0c"),
        (b'{"name": "n", "colours": [{}, {"red": 256}]}', "/colours/1/red"),
        (b'{"name": "n", "colours": [{"blue": 1}]}', "/colours/0/blue"),
        (b'{"name": "n", "parts": {"x": {"red": -1}}}', "/parts"),
    ],
)
async def test_a_wrong_body_is_pointed_at(
    things: httpx.AsyncClient, body: bytes, pointer: str
) -> None:
    answer = await things.put("/v1/things/ab?must=1", content=body)
    assert problem_of(answer) == (400, "body_invalid")
    (fault,) = answer.json()["errors"]
    assert fault == {"detail": answer.json()["detail"], "pointer": pointer}


async def test_a_body_where_none_is_taken(things: httpx.AsyncClient) -> None:
    for body in (b"", b"{}", b" {}\n"):
        answer = await things.request("DELETE", "/v1/nothing", content=body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "content-length" not in answer.headers
    answer = await things.request("DELETE", "/v1/nothing", json={"really": True})
    assert problem_of(answer) == (400, "body_invalid")


# ---- Errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nowhere", "/v1/events/1/2", "/v1/%00"])
async def test_what_is_not_there_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    assert problem_of(await client.get(path)) == (404, "not_found")


async def test_another_method_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/v1/events")
    assert problem_of(answer) == (405, "method_not_allowed")
    assert {"GET", "HEAD"} <= set(re.split(", ?", answer.headers["allow"]))


async def test_too_large_a_body_is_a_problem(things: httpx.AsyncClient) -> None:
    answer = await things.put("/v1/things/ab?must=1", content=b" " * 70_000)
    assert problem_of(answer) == (413, "body_too_large")


async def test_a_failure_is_a_problem_without_its_words(things: httpx.AsyncClient) -> None:
    answer = await things.get("/v1/fail")
    assert problem_of(answer) == (500, "internal")
    assert "secret" not in answer.text
    assert problem_of(await things.get("/v1/strange")) == (500, "internal")


async def test_a_verbs_refusal_is_a_problem(things: httpx.AsyncClient) -> None:
    answer = await things.get("/v1/refuse")
    assert problem_of(answer) == (429, "rate_limited")
    assert answer.json()["detail"] == "as a verb says it"
    assert answer.headers["retry-after"] == "7"
    answer = await things.post("/v1/no-disk")
    assert problem_of(answer) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_the_contract_keeps_its_own_errors(client: httpx.AsyncClient) -> None:
    for path in ("/v10", "/oapi/v1/nowhere", "/nowhere"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["message"]) == (404, "NOT_FOUND")


async def test_every_type_leads_to_a_page(office: Office) -> None:
    async with office.client(public_url="http://phone.test") as client:
        page = await client.get((await client.get("/v1/nowhere")).json()["type"])
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        every = (await client.get("/docs/errors")).text
        for code, kind in PROBLEMS.items():
            one = (await client.get(f"/docs/errors/{code}")).text
            assert f"HTTP {kind.status}." in one
            assert f'id="{code}"' in every
            assert f'<a href="/docs/errors/{code}">' in one  # from each to the others
        assert (await client.get("/docs/errors/none")).status_code == 404


async def test_without_pages_a_type_is_a_name(office: Office) -> None:
    async with office.client(docs=False) as client:
        told = (await client.get("/v1/nowhere")).json()
        assert told["type"] == "urn:trunkline:problem:not_found"
        assert (await client.get("/docs/errors")).status_code == 404


def test_every_code_is_documented_with_its_status(root: Path) -> None:
    page = (root / "docs/reference/errors.md").read_text()
    documented = dict(re.findall(r"^\| `([a-z_]+)` \| ([0-9]{3}) \|", page, re.M))
    assert documented == {code: str(kind.status) for code, kind in PROBLEMS.items()}


def test_every_scope_is_documented(root: Path) -> None:
    page = (root / "docs/guides/api-v1.md").read_text()
    documented = set(re.findall(r"^\| `([a-z]+:[a-z]+)` \|", page, re.M))
    assert documented == set(SCOPES)


# ---- Headers ----------------------------------------------------------------------------------------


async def test_head_is_get_without_its_body(client: httpx.AsyncClient) -> None:
    head, get = await client.head("/v1/me"), await client.get("/v1/me")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert get.headers["cache-control"] == "no-store"


async def test_pages_of_other_origins_may_use_it(office: Office) -> None:
    async with office.client(cors_origins="https://crm.example") as client:
        request = {
            "origin": "https://crm.example",
            "access-control-request-method": "PATCH",
            "access-control-request-headers": "authorization,idempotency-key,content-type",
        }
        del client.headers["authorization"]
        preflight = await client.options("/v1/events", headers=request)
        allowed = preflight.headers["access-control-allow-headers"].lower()
        assert preflight.status_code == 204
        assert "authorization" in allowed
        assert "idempotency-key" in allowed
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        for path in ("/v1/me", "/v1/nowhere"):
            answer = await client.get(path, headers={"origin": "https://crm.example"})
            assert answer.headers["access-control-allow-origin"] == "https://crm.example"
            shown = answer.headers["access-control-expose-headers"]
            assert {"RateLimit", "Link", "Retry-After"} <= set(shown.split(", "))
        answer = await client.get("/v1/me", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in answer.headers


async def test_a_link_is_absolute(office: Office) -> None:
    await office.tell(3)
    async with office.client(public_url="https://phone.example/") as client:
        answer = await client.get("/v1/events?limit=1")
    link = '<https://phone.example/v1/events?after=1&limit=1>; rel="next"'
    assert answer.headers["link"] == link


@pytest.mark.parametrize("host", ['a>; rel="next", <http://b', "a/b", "a b", "", "a@b", "[::1"])
async def test_a_host_that_is_none_stands_in_no_address(office: Office, host: str) -> None:
    async with office.client() as client:
        wrong = await client.get("/v1/nowhere", headers={"host": host})
    assert wrong.json()["type"] == "http://localhost/docs/errors/not_found"


async def test_refuse_works_without_the_door(office: Office) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "headers": [(b"host", b"h")], "scheme": "http", "path": "/v1/s"}
    v1 = office.v1()
    with pytest.raises(Refused) as refused:
        await v1.admit(scope, "events:read")
    await v1.refuse(scope, send, refused.value, ((b"vary", b"origin"),))
    start, body = sent
    headers = dict(start["headers"])
    assert (start["status"], headers[b"vary"]) == (401, b"origin")
    assert json.loads(body["body"])["code"] == "key_missing"
    assert json.loads(body["body"])["request_id"] == headers[b"x-request-id"].decode()
    assert headers[b"www-authenticate"]

"""The stream of events, joined to /v1: it is asked and answered as everything below /v1 is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from trunkline.api.docs.openapi import openapi_document
from trunkline.server.listening import web_server
from trunkline.server.settings import Settings
from trunkline.server.wiring import doors

from .conftest import Office, problem_of, until

PATH = "/v1/events/stream"


@pytest.fixture
async def stream(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    """A client of both doors on a real port: a stream needs its connection."""
    settings = Settings()
    live, end_polls, _ = doors.web(settings, office.deps())
    server = web_server(settings, live)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    await until(lambda: server.started)
    headers = {"authorization": f"Bearer {office.key()}"}
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as client:
        yield client
    end_polls()
    await live.close()
    server.should_exit = True
    await serving


async def test_every_answer_has_the_headers_of_v1(stream: httpx.AsyncClient) -> None:
    sent = {"x-request-id": "mine-0001"}
    async with stream.stream("GET", PATH, headers=sent) as got:
        pass
    answers = [got, await stream.head(PATH, headers=sent)]
    answers.append(await stream.get(f"{PATH}?after=x", headers=sent))

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    for answer in answers:
        assert answer.headers.get_list("x-request-id") == ["mine-0001"]
        assert answer.headers["ratelimit-policy"] == '"second";q=100;w=1'
        assert answer.headers["ratelimit"].startswith('"second";r=')


async def test_an_answer_has_an_id_of_ours_where_none_was_sent(stream: httpx.AsyncClient) -> None:
    async with stream.stream("GET", PATH, headers={"x-request-id": "?"}) as got:
        pass
    post = await stream.post(PATH)

    assert len(got.headers["x-request-id"]) == 32
    assert problem_of(post) == (405, "method_not_allowed")
    assert post.headers["allow"] == "GET, HEAD"
    assert problem_of(await stream.get(PATH, headers={"authorization": ""})) == (401, "key_missing")


@pytest.mark.parametrize(
    ("query", "last", "named"),
    [
        ("after=x", "", ["after"]),
        ("after=-1", "", ["after"]),
        ("after=", "", ["after"]),
        ("after=1&after=2", "", ["after"]),
        ("after=" + "9" * 19, "", ["after"]),
        ("after=x&tipes=%23", "", ["tipes", "after"]),
        ("bindings=%23", "", ["bindings"]),
        ("after=1", "x", ["Last-Event-ID"]),
        ("", "-1", ["Last-Event-ID"]),
        ("", "\u0663", ["Last-Event-ID"]),
        ("types=call.NO.*,fax.%23,%23", "", ["types", "types"]),
        ("types=%23." + "x" * 300, "", ["types"]),
        ("types=" + ",".join(f"call.*.{n}" for n in range(101)), "", ["types"]),
        ("types=%FF.*.*", "", [None]),
        ("&".join(["types=%23"] * 300), "", [None]),
    ],
)
async def test_every_wrong_parameter_is_named(
    stream: httpx.AsyncClient, query: str, last: str, named: list[str | None]
) -> None:
    answer = await stream.get(f"{PATH}?{query}", headers={"last-event-id": last.encode()})

    assert problem_of(answer) == (400, "parameters_invalid")
    assert [fault.get("parameter") for fault in answer.json()["errors"]] == named
    assert all(fault["detail"] for fault in answer.json()["errors"])


@pytest.mark.parametrize(
    ("query", "last", "numbers"),
    [
        ("after=0", "", [1, 2, 3]),
        ("after=1&types=", "", [2, 3]),
        ("after=0", "2", [3]),
        ("after=0&types=call.*.*", "", [1, 2, 3]),
    ],
)
async def test_it_begins_after_the_number(
    office: Office, stream: httpx.AsyncClient, query: str, last: str, numbers: list[int]
) -> None:
    await office.tell(3)
    seen: list[int] = []
    headers = {"last-event-id": last}
    async with stream.stream("GET", f"{PATH}?{query}", headers=headers) as got, asyncio.timeout(20):
        async for line in got.aiter_lines():
            seen += [int(line[4:])] if line.startswith("id: ") else []
            if seen[-1:] == [3]:
                break

    assert seen == numbers


async def test_who_is_sent_back_by_the_rate_is_told_when_to_come(office: Office) -> None:
    settings = Settings(v1_request_rate="1/hour")
    live, *_ = doors.web(settings, office.deps())
    transport = httpx.ASGITransport(live)  # type: ignore[arg-type]
    headers = {"authorization": f"Bearer {office.key()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as http:
        first, second = await http.head(PATH), await http.head(PATH)
        told = await http.get(PATH)

    assert (first.status_code, second.status_code) == (200, 429)
    assert problem_of(told) == (429, "rate_limited")
    assert told.headers["ratelimit"].startswith('"hour";r=0;t=')
    assert told.headers["retry-after"]


def test_the_document_says_what_the_reader_takes() -> None:
    stream = openapi_document()["paths"][PATH]["get"]
    taken = {each["name"]: each["in"] for each in stream["parameters"]}

    assert taken == {"types": "query", "after": "query", "Last-Event-ID": "header"}
    assert {"X-Request-Id", "RateLimit", "RateLimit-Policy"} <= set(
        stream["responses"]["200"]["headers"]
    )

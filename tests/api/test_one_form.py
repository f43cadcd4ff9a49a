"""Each path is reached in one form: what a proxy's rule does not name is not there."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from trunkline.api.application import build_api
from trunkline.api.http.one_form import is_canonical

from .conftest import World

ROUTES = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/internal/sync"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/oapi/v1/call/histories"),
    ("POST", "/oapi/v1/voice/auth_token"),
    ("GET", "/v1/calls"),
]


def _others(path: str) -> list[str]:
    first, rest = path[1], path[2:]
    head, _, tail = path[1:].rpartition("/")
    escaped_slash = f"/{head}%2f{tail}" if head else f"/%2f{tail}"
    return [
        f"/{path}",
        f"//{path}",
        f"{path}/",
        f"{path}//",
        f"/%{ord(first):02x}{rest}",
        f"/%{ord(first):02X}{rest}",
        f"/%25{ord(first):02x}{rest}",
        f"/.{path}",
        f"{path}/.",
        f"/x/..{path}",
        f"/x/%2e%2e{path}",
        f"/..%2f{path[1:]}",
        f"{path}/..;/x",
        f"{path};x",
        f"/;x{path}",
        f"{path}%3bx",
        f"{path}%00",
        f"{path}%20",
        f"{path}%2f",
        f"{path}\\",
        f"/\\{path}",
        f"{path}%5c",
        escaped_slash,
        escaped_slash.replace("%2f", "%2F"),
        escaped_slash.replace("%2f", "%252f"),
        escaped_slash.replace("%2f", "//"),
        escaped_slash.replace("%2f", "/./"),
        path.upper() if path != "/v1/calls" else "/V1/calls",
    ]


async def status(world_api: Any, method: str, raw: str) -> int:
    """The answer to a path exactly as it is written here."""
    path = raw.encode("latin-1")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("192.0.2.7", 1),
        "root_path": "",
        "path": unquote(raw),
        "raw_path": path,
        "query_string": b"",
        "headers": [(b"host", b"phone.test")],
        "state": {},
    }
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    await world_api(scope, receive, send)
    return int(told[0]["status"])


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_no_other_form_of_a_path_is_there(world: World, method: str, path: str) -> None:
    api = build_api(world.deps())
    assert await status(api, method, path) not in (404, 405)
    said = {other: await status(api, method, other) for other in _others(path)}
    assert {other: code for other, code in said.items() if code != 404} == {}


@pytest.mark.parametrize(
    "raw",
    [
        "/",
        "/a/b",
        "/a/%2B84",
        "/a/%20b",
        "/a/b%3Bc",
        "/a/h%E1%BB%93ng",
        "/a/tl-1.2~x",
        "/a/a@b:c,d",
    ],
)
def test_what_a_path_may_hold(raw: str) -> None:
    assert is_canonical(raw.encode())


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "//",
        "/a/",
        "/a//b",
        "/.",
        "/a/..",
        "/a%2Eb",
        "/a%7e",
        "/a%2fb",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%00",
        "/a%0d%0a",
        "/a%ff",
        "/a%c0%af",
        "/a;b",
        "/a\\b",
        "/a<b",
        '/a"b',
        "/a{b}",
        "/é",
    ],
)
def test_what_it_may_not(raw: str) -> None:
    assert not is_canonical(raw.encode("latin-1"))


async def test_the_answer_has_the_form_that_is_usual_there(world: World) -> None:
    async with world.client() as client:
        v1 = await client.get("/v1/calls/")
        other = await client.get("/healthz/")
    assert (v1.status_code, v1.json()["code"]) == (404, "not_found")
    assert (other.status_code, other.json()["message"]) == (404, "NOT_FOUND")
    assert other.headers["x-request-id"] == other.json()["request_id"]


def test_a_path_is_not_endless() -> None:
    """Thousands of paths are remembered."""
    assert is_canonical(b"/v1/calls/" + b"%F0%9F%98%80" * 255)
    assert not is_canonical(b"/" + b"x" * 5000)

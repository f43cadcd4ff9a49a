"""The OpenAPI document against the routes, the error table, and requests at random."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from trunkline.api.application import build_api
from trunkline.api.docs.openapi import openapi_document
from trunkline.api.docs.openapi_contract import CODES
from trunkline.api.http.errors import ERRORS

from .conftest import APP_ID, FINISHED, HEADERS, SECRET, World, sha

DOCUMENT = openapi_document()
HIDDEN = {
    "/internal/sync",
    "/internal/place-call",
    "/internal/transfer-call",
    "/internal/samples",
    "/openapi.json",
    "/asyncapi.json",
    "/docs",
    "/docs/events",
    "/docs/{name}",
    "/docs/errors",
    "/docs/errors/{code}",
}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    ]


def test_every_route_is_in_the_document(world: World) -> None:
    routes = {
        re.sub(r":\w+}", "}", route.path): {
            method.lower() for method in route.methods if method != "OPTIONS"
        }
        for route in build_api(world.deps()).routes
    }
    documented = {path: set(item) for path, item in DOCUMENT["paths"].items()}
    del documented["/v1/events/stream"]  # live/sse.py's
    assert set(routes) - HIDDEN == set(documented)
    for path, methods in documented.items():
        assert methods <= routes[path]
        assert routes[path] - methods <= {"head"}


def test_every_code_is_under_its_status() -> None:
    seen = set()
    for path, _, operation in operations():
        if path.startswith("/v1/"):
            continue
        codes = (*CODES.get(path, ()), "METHOD_NOT_SUPPORT", "INTERNAL")
        for code in codes:
            assert f"`{code}`" in operation["responses"][str(ERRORS[code].status)]["description"]
        seen.update(codes)
    assert set(ERRORS) - seen == {"NOT_FOUND", "TOKEN_INVALID"}
    assert DOCUMENT["components"]["schemas"]["Error"]["properties"]["message"]["enum"] == sorted(
        ERRORS
    )


def test_every_error_code_is_documented_with_its_status(root: Path) -> None:
    text = (root / "docs/reference/errors.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (\d{3}) \|", text, re.MULTILINE))
    assert {code: int(status) for code, status in rows.items()} == {
        code: kind.status for code, kind in ERRORS.items()
    }


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [one for value in node.values() for one in references(value)]
    if isinstance(node, list):
        return [one for value in node for one in references(value)]
    return []


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        node: Any = DOCUMENT
        for key in reference.removeprefix("#/").split("/"):
            node = node[key]


async def test_the_document_is_served(client: httpx.AsyncClient) -> None:
    assert (await client.get("/openapi.json")).json() == DOCUMENT


PAGES = {
    "/docs": {"/docs/page.js", "/openapi.json"},
    "/docs/events": {"/docs/events.js", "/asyncapi.json"},
}


@pytest.mark.parametrize("address", PAGES)
async def test_the_page_loads_nothing_from_elsewhere(
    client: httpx.AsyncClient, address: str
) -> None:
    page = await client.get(address)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    parts = set(re.findall(r'(?:src|href)="([^"]+)"', page.text))
    assert parts == {"/docs", "/docs/events", "/docs/errors", "/docs/page.css", *PAGES[address]}
    for part in parts:
        answer = await client.get(part)
        assert answer.status_code == 200
        assert "http://" not in answer.text


@pytest.mark.parametrize("script", ["page.js", "events.js", "elements.js"])
async def test_the_scripts_need_nothing_but_each_other(
    client: httpx.AsyncClient, script: str
) -> None:
    answer = await client.get(f"/docs/{script}")
    assert answer.headers["content-type"].startswith("text/javascript")
    wanted = re.findall(r'(?:from|import|fetch\() ?"([^"]+)"', answer.text)
    assert set(wanted) <= {"/docs/elements.js"}


def _world_for_fuzzing() -> Any:
    world = World()
    rates = {"request_rate": "100000/second", "call_rate": "100000/second"}
    return build_api(world.deps(**rates, auth_failures="100000/second"))


fuzzed = schemathesis.openapi.from_asgi("/openapi.json", _world_for_fuzzing())


def _signed_in(case: Any) -> None:
    """Half of the requests have the right hash over whatever was made up."""
    if case.path.startswith("/oapi") and case.method == "POST":
        case.headers = {**dict(case.headers or {}), **HEADERS}
    if case.path.startswith("/oapi") and case.method == "GET":
        names = ("created_from", "created_to", "limit", "page", "media")
        query = {k: v for k, v in dict(case.query or {}).items() if k not in ("appId", "hash")}
        values = [query.get(name) for name in names]
        made = sha(APP_ID, *(str(v) for v in values if isinstance(v, str | int)), SECRET)
        case.query = {**query, "appId": APP_ID, "hash": made}
    if case.path.startswith("/recordings"):
        case.path_parameters = {"name": FINISHED}


CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.specs.openapi.checks.status_code_conformance,
    schemathesis.specs.openapi.checks.content_type_conformance,
    schemathesis.specs.openapi.checks.response_headers_conformance,
    schemathesis.specs.openapi.checks.response_schema_conformance,
]


@pytest.mark.parametrize("signed_in", [True, False])
@fuzzed.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_it(case: Any, signed_in: bool) -> None:
    if signed_in:
        _signed_in(case)
    answer = case.call()
    assert answer.status_code < 500 or answer.status_code == 503
    case.validate_response(answer, checks=CHECKS)

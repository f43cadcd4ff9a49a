"""The part of the OpenAPI document that is /v1, made from the table of routes and its types."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from trunkline.api.v1.conventions.problems import PROBLEMS, ProblemDetails
from trunkline.api.v1.conventions.routing import Parameters, Route
from trunkline.api.v1.event_stream import STREAM, StreamHeaders
from trunkline.directory.api_keys import SCOPES

Json = dict[str, Any]

_TEMPLATE = "#/components/schemas/{name}"
_TEXT: Json = {"type": "string"}

TAGS = [
    {"name": "Calls", "description": "The history of calls, with keys of `/v1`."},
    {"name": "Events", "description": "The account's event log, with keys of `/v1`."},
    {"name": "Statistics", "description": "What calls came to, with keys of `/v1`."},
    {"name": "Webhooks", "description": "Events to your own server, with keys of `/v1`."},
    {"name": "Account", "description": "The keys of `/v1`."},
]

SECURITY_SCHEMES: Json = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "tlk_…",
        "description": "A key of `trunkline key create`, and its scopes: "
        + "; ".join(f"`{scope}`: {words}" for scope, words in SCOPES.items()),
    }
}

HEADERS: Json = {
    "RateLimit": {
        "description": 'What is left: `"second";r=99;t=1`, requests and seconds until it is reset.',
        "schema": _TEXT,
    },
    "RateLimit-Policy": {
        "description": 'What the key may: `"second";q=100;w=1`, requests in so many seconds.',
        "schema": _TEXT,
    },
    "Idempotency-Replayed": {
        "description": "`true` where this is the answer to an earlier request.",
        "schema": {"const": "true"},
    },
}

_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with it within 24 hours is answered as the first was.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}

_STATUSES = {200: "OK.", 201: "Made.", 202: "Taken on.", 204: "Done."}


def schemas(routes: Iterable[Route]) -> Json:
    return _components(routes)[1]


def paths(routes: Iterable[Route]) -> Json:
    routes = tuple(routes)
    refs, components = _components(routes)
    made: Json = {}
    for route in routes:
        made.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs, components)
    return {**made, STREAM.path: {"get": _stream(refs, components)}}


def _components(routes: Iterable[Route]) -> tuple[dict[Any, Json], Json]:
    """(type -> the reference to its schema, name -> schema)."""
    types: list[Any] = [ProblemDetails]
    for route in routes:
        types += [kind for kind in (route.answer, route.body) if kind is not None]
    refs, components = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    return dict(zip(types, refs, strict=True)), _in_markdown(components)


def _in_markdown(node: Any) -> Any:
    """Docstrings are descriptions: their double backticks are single there."""
    if isinstance(node, dict):
        return {key: _in_markdown(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_in_markdown(one) for one in node]
    return node.replace("``", "`") if isinstance(node, str) else node


def _operation(route: Route, refs: dict[Any, Json], components: Json) -> Json:
    operation: Json = {
        "tags": [route.tag],
        "operationId": route.function.__name__,
        "summary": route.summary,
        "description": _description(route),
        "security": [{"key": [route.scope] if route.scope else []}],
        "parameters": _parameters(route),
        "responses": {
            str(route.status): _success(route, refs, components),
            **_problems(route.codes),
        },
    }
    if route.body is not None:
        content = {"application/json": {"schema": refs[route.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _description(route: Route) -> str:
    words = _in_markdown(inspect.getdoc(route.function) or "")
    needs = f"Needs the scope `{route.scope}`." if route.scope else "Any key will do."
    return f"{words}\n\n{needs}"


def _parameters(route: Route) -> list[Json]:
    made = [
        _parameter(name, one, "path" if name in route.in_path else "query", required)
        for name, one, required in _fields(route.parameters)
    ]
    return [*made, _IDEMPOTENCY_KEY] if route.changes else made


def _fields(kind: type[Parameters]) -> list[tuple[str, Json, bool]]:
    """(name, schema, must it be sent) of each."""
    schema = _inline(kind)
    return [(name, one, name in schema["required"]) for name, one in schema["properties"].items()]


def _inline(kind: Any) -> Json:
    (_, components) = msgspec.json.schema_components([kind], ref_template=_TEMPLATE)
    found: Json = components[kind.__name__]
    return found


def _parameter(
    name: str, schema: Json, place: Literal["path", "query", "header"], required: bool
) -> Json:
    """Parameters are texts: null cannot be sent, and a list is sent by repeating its name."""
    found = next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), schema)
    found = {key: value for key, value in found.items() if key not in ("default", "description")}
    if (default := schema.get("default")) not in (None, [], ()):
        found["default"] = default
    described = schema.get("description") or _of_alternatives(schema)
    made: Json = {"name": name, "in": place, "required": required, "schema": found}
    return {**made, "description": described} if described else made


def _of_alternatives(schema: Json) -> str:
    words = (one.get("description", "") for one in schema.get("anyOf", ()))
    return next(filter(None, words), "")


def _success(route: Route, refs: dict[Any, Json], components: Json) -> Json:
    names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
    names += ["Idempotency-Replayed"] if route.changes else []
    names += ["Link"] if route.answer is not None and not route.changes else []
    made: Json = {"description": _STATUSES[route.status], "headers": _headers(names)}
    if route.answer is None:
        content: Json = {kind: {} for kind in route.media_types}
        return {**made, "content": content} if content else made
    schema = refs[route.answer]
    told = components.get(schema.get("$ref", "").rpartition("/")[2], {}).get("description")
    content = {"application/json": {"schema": schema}}
    return {**made, "description": told or made["description"], "content": content}


def _stream(refs: dict[Any, Json], components: Json) -> Json:
    """Served by ``live/sse.py``, and so in no table."""
    made = _operation(STREAM, refs, components)
    headers = [_parameter(name, one, "header", must) for name, one, must in _fields(StreamHeaders)]
    return {**made, "parameters": [*made["parameters"], *headers]}


def _problems(codes: Iterable[str]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _refused(by_status[status]) for status in sorted(by_status)}


def _refused(codes: list[str]) -> Json:
    named = {"properties": {"code": {"enum": codes}}}
    schema = {"allOf": [{"$ref": _TEMPLATE.format(name="ProblemDetails")}, named]}
    names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
    status = PROBLEMS[codes[0]].status
    names += ["WWW-Authenticate"] if status in (401, 403) else []
    names += ["Retry-After"] if any(PROBLEMS[code].retry_after for code in codes) else []
    names += ["Allow"] if status == 405 else []
    return {
        "description": " ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes),
        "headers": _headers(names),
        "content": {"application/problem+json": {"schema": schema}},
    }


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}

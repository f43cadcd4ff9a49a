"""The Open API's part of the OpenAPI document, and that of health and metrics: written by hand, since its routes are
few and their words matter. A test holds it against the routes and the error table."""

from __future__ import annotations

from typing import Any

from trunkline.api.http.errors import ERRORS
from trunkline.calls import recording_names

Json = dict[str, Any]

CLICK_TO_CALL = """\
Rings the device; when it is picked up, dials the number and joins the two. 200 says that the device is
online and has been sent the call; it does not wait for anyone to answer.
"""

HISTORIES = """\
The calls that started in `[created_from, created_to)`, at most 31 days of them. `hash` is
`sha256(appId + created_from + created_to + limit + page + appSecret)` over the strings as sent; what is
not sent adds nothing, or its default.
"""

PLAY_RECORDING = """\
A link to the recording, which expires, and needs no header. `hash` is `sha256(appId + media + appSecret)`.
"""

RECORDING = """\
The audio, two channels: caller left, callee right. The link comes from play_recording; it stops working
when it expires or is altered.
"""

TAGS = [
    {"name": "Open API", "description": "The four calls."},
    {"name": "Recordings", "description": "Recordings by their links."},
]
OPERATIONS = {"name": "Operations", "description": "For whoever runs the server."}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: dict[str, Json], optional: dict[str, Json] | None = None) -> Json:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }


def _string(description: str, **more: Any) -> Json:
    return {"type": "string", "description": description, **more}


def _whole(description: str, **more: Any) -> Json:
    return {"type": "integer", "description": description, **more}


_NUMBER = _string("The number, or the device of a user.")
_PARTY: Json = {
    "oneOf": [
        _object({"number": _NUMBER, "type": {"const": "realnumber"}}),
        _object({"number": _NUMBER, "type": {"const": "user"}, "username": {"type": "string"}}),
    ]
}
_NAME_PATTERN = f"^{recording_names.PATTERN}$"
_PLAIN = r"^[^\x00-\x1f\x7f]*$"

SCHEMAS: Json = {
    "Error": _object(
        {
            "success": {"const": False},
            "message": _string("The code.", enum=sorted(ERRORS)),
            "detail": _string("A sentence for the developer."),
            "request_id": _string("Equals the X-Request-Id header."),
        }
    ),
    "Token": _object(
        {
            "value": _string("The token.", pattern="^[0-9a-f]{32}$"),
            "expire": _whole("When it expires, unix seconds."),
            "account_id": _string("What the event socket asks for."),
        }
    ),
    "ClickToCall": _object(
        {
            "sipUser": _string(
                "The device's SIP user name.", minLength=1, maxLength=256, pattern=_PLAIN
            ),
            "sipPassword": _string("Its SIP password.", maxLength=1024, format="password"),
        },
        {
            "clientRef": {
                "type": ["string", "null"],
                "description": "Yours; echoed in events and history.",
                "minLength": 1,
                "maxLength": 256,
                "pattern": _PLAIN,
            }
        },
    ),
    "CallPlaced": _object(
        {
            "success": {"const": True},
            "message": {"const": "OK"},
            "call_id": _string("The call's id in events and history."),
        }
    ),
    "Party": _PARTY,
    "HistoryRow": _object(
        {
            "caller": ref("Party"),
            "callee": ref("Party"),
            "class": {"enum": ["one_one", "trunking"], "description": "Internal, or by a trunk."},
            "did_number": {
                "type": ["string", "null"],
                "description": "The dialled number of an inbound call, else null.",
            },
            "direction": {"enum": ["from_ab", "to_ab"], "description": "Outbound, or inbound."},
            "status_detail": {"enum": ["IVR", "SUCCESS", "CANCELLED", "BUSY", "UNSUCCESS"]},
            "duration_seconds": _whole("From the start to the end.", minimum=0),
            "unix_timestamp": _whole("The start, unix seconds."),
            "billing_seconds": _whole("How long two people were joined, rounded up.", minimum=0),
            "recording": _string("The recording's name, or empty."),
            "call_id": _string("Never changes."),
        },
        {"clientRef": _string("Yours, from the click-to-call; only where it was given.")},
    ),
    "RecordingLink": _object({"media": _string("The link.", format="uri")}),
    "Health": _object(
        {
            "status": {"enum": ["ok", "unavailable"]},
            "reasons": {"type": "array", "items": {"type": "string"}},
        }
    ),
    "Readiness": _object(
        {
            "ready": {"type": "boolean"},
            "checks": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    ),
    "Root": _object(
        {
            "name": {"const": "trunkline"},
            "version": {"type": "string"},
            "status": {"const": "ok"},
        }
    ),
}

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}

HEADERS: Json = {
    "X-Request-Id": {
        "description": "The id of this exchange; yours, if you sent a sane one.",
        "required": True,
        "schema": _TEXT,
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": _COUNT},
    "Allow": {"description": "The methods of this path.", "schema": _TEXT},
    "WWW-Authenticate": {"description": "RFC 9110.", "schema": _TEXT},
    "X-Total-Count": {"description": "Records in the whole window.", "schema": _COUNT},
    "Link": {"description": "first, prev, next, last (RFC 8288).", "schema": _TEXT},
    "Accept-Ranges": {"description": "bytes", "schema": _TEXT},
    "Content-Range": {"description": "Which bytes (RFC 9110).", "schema": _TEXT},
    "Content-Disposition": {"description": "inline, with the name.", "schema": _TEXT},
}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


EVERY_HEADERS = _headers()
PAGE_HEADERS = _headers("X-Total-Count", "Link")
MEDIA_HEADERS = _headers("Accept-Ranges", "Content-Disposition")
PART_HEADERS = _headers("Accept-Ranges", "Content-Disposition", "Content-Range")


def _error_headers(codes: list[str]) -> Json:
    names = []
    if any(ERRORS[code].retry_after for code in codes):
        names.append("Retry-After")
    if "METHOD_NOT_SUPPORT" in codes:
        names.append("Allow")
    if "RANGE_NOT_SATISFIABLE" in codes:
        names.append("Content-Range")
    if any(ERRORS[code].status == 401 for code in codes):
        names.append("WWW-Authenticate")
    return _headers(*names)


def example_error(code: str) -> Json:
    return {
        "success": False,
        "message": code,
        "detail": ERRORS[code].sentence,
        "request_id": "9f0c1d2e3b4a59687786950413223140",
    }


def _key(place: str, name: str, description: str) -> Json:
    return {"type": "apiKey", "in": place, "name": name, "description": description}


SECURITY_SCHEMES: Json = {
    "headerAppId": _key("header", "x-auth-app-id", "The app's id."),
    "headerHash": _key("header", "x-auth-app-hash", "`sha256(appId + appSecret)`"),
    "queryAppId": _key("query", "appId", "The app's id."),
    "queryHash": _key("query", "hash", "The hash that the call's document gives."),
    "timestamp": _key("header", "x-auth-timestamp", "Unix seconds, within 5 minutes."),
    "nonce": _key("header", "x-auth-nonce", "A random text, never used before."),
    "signature": _key("header", "x-auth-signature", "The signature; see the introduction."),
}

_SIGNED: Json = {"headerAppId": [], "timestamp": [], "nonce": [], "signature": []}
POST_SECURITY = [{"headerAppId": [], "headerHash": []}, _SIGNED]
GET_SECURITY = [{"queryAppId": [], "queryHash": []}, _SIGNED]


def _query(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": schema,
    }


_DATE = (
    "ISO 8601 with an offset or `Z`; without one in the account's time zone. A bare date is that whole "
    "day. All digits are unix seconds, or milliseconds from 13 digits."
)
_DATE_SCHEMA = {"type": "string", "examples": ["2018-02-07T02:19:33.000Z", "2018-02-07"]}

HISTORIES_PARAMETERS = [
    _query("created_from", f"Start, included. {_DATE}", _DATE_SCHEMA, required=True),
    _query("created_to", f"End, not included. {_DATE}", _DATE_SCHEMA, required=True),
    _query(
        "limit",
        "Records a page.",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    ),
    _query("page", "Which page.", {"type": "integer", "minimum": 1, "default": 1}),
]

_NAME = {"type": "string", "pattern": _NAME_PATTERN}
MEDIA = _query("media", "The `recording` of a history record.", _NAME, required=True)

NUMBER: Json = {
    "name": "number",
    "in": "path",
    "required": True,
    "description": "A phone number, an extension or a code inside. Spaces, dots, dashes, slashes, brackets and what follows a semicolon are dropped.",
    "schema": {"type": "string", "minLength": 1, "examples": ["01693608879", "+842873019555"]},
}

IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body within 24 hours get the first answer again, and ring nothing.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}

RECORDING_PARAMETERS: list[Json] = [
    {"name": "name", "in": "path", "required": True, "schema": _NAME},
    _query("expires", "When the link expires, unix seconds.", {"type": "integer"}, required=True),
    _query("signature", "Ours.", {"type": "string"}, required=True),
    {
        "name": "Range",
        "in": "header",
        "required": False,
        "description": "One range of bytes (RFC 9110); anything else gives the whole.",
        "schema": {"type": "string", "examples": ["bytes=0-1023"]},
    },
]

_ADMISSION = ("APPID_MISSING", "APPID_NOT_FOUND", "HASH_NOT_MATCH", "RATE_LIMITED")
_ALWAYS = ("METHOD_NOT_SUPPORT", "INTERNAL")
_BODY = ("BODY_TOO_LARGE",)

CODES: dict[str, tuple[str, ...]] = {
    "/oapi/v1/voice/auth_token": (*_ADMISSION, *_BODY, "ENGINE_UNAVAILABLE"),
    "/oapi/v1/call/click-to-call/{number}": (
        *_ADMISSION,
        *_BODY,
        "BODY_INVALID",
        "NUMBER_INVALID",
        "SIP_AUTH_FAILED",
        "DESTINATION_NOT_ALLOWED",
        "DEVICE_OFFLINE",
        "IDEMPOTENCY_KEY_REUSED",
        "IDEMPOTENCY_IN_PROGRESS",
        "ENGINE_UNAVAILABLE",
    ),
    "/oapi/v1/call/histories": (
        *_ADMISSION,
        *_BODY,
        "DATE_REQUIRED",
        "DATE_INVALID",
        "RANGE_INVALID",
        "RANGE_TOO_LARGE",
        "LIMIT_INVALID",
        "PAGE_INVALID",
        "ENGINE_UNAVAILABLE",
    ),
    "/oapi/v1/call/play_recording": (
        *_ADMISSION,
        *_BODY,
        "MEDIA_INVALID",
        "RECORDING_NOT_FOUND",
        "RECORDING_NOT_READY",
        "ENGINE_UNAVAILABLE",
    ),
    "/recordings/{name}": ("LINK_INVALID", "RECORDING_NOT_FOUND", "RANGE_NOT_SATISFIABLE"),
}
"""Which refusals a route may give, besides METHOD_NOT_SUPPORT and INTERNAL."""


def paths() -> Json:
    return {
        "/oapi/v1/voice/auth_token": {"post": _auth_token()},
        "/oapi/v1/call/click-to-call/{number}": {"post": _click_to_call()},
        "/oapi/v1/call/histories": {"get": _histories()},
        "/oapi/v1/call/play_recording": {"get": _play_recording()},
        "/recordings/{name}": {"get": _recording("get"), "head": _recording("head")},
        "/healthz": {"get": _health("healthz", "Health", "Can calls be made now?")},
        "/readyz": {"get": _health("readyz", "Readiness", "How is each part?")},
        "/metrics": {"get": _metrics()},
        "/": {"get": _root()},
    }


def _auth_token() -> Json:
    return {
        "tags": ["Open API"],
        "operationId": "authToken",
        "summary": "Get an authentication token",
        "description": "For the event socket, and good for nothing else.",
        "security": POST_SECURITY,
        "responses": _responses("/oapi/v1/voice/auth_token", "The token.", ref("Token")),
    }


def _click_to_call() -> Json:
    path = "/oapi/v1/call/click-to-call/{number}"
    body = {"required": True, "content": {"application/json": {"schema": ref("ClickToCall")}}}
    return {
        "tags": ["Open API"],
        "operationId": "clickToCall",
        "summary": "Click to call",
        "description": CLICK_TO_CALL,
        "security": POST_SECURITY,
        "parameters": [NUMBER, IDEMPOTENCY_KEY],
        "requestBody": body,
        "responses": _responses(path, "The device is ringing.", ref("CallPlaced")),
    }


def _histories() -> Json:
    rows = {"type": "array", "items": ref("HistoryRow")}
    found = _responses("/oapi/v1/call/histories", "One page, newest first.", rows)
    found["200"]["headers"].update(PAGE_HEADERS)
    return {
        "tags": ["Open API"],
        "operationId": "histories",
        "summary": "Get call history",
        "description": HISTORIES,
        "security": GET_SECURITY,
        "parameters": HISTORIES_PARAMETERS,
        "responses": found,
    }


def _play_recording() -> Json:
    path = "/oapi/v1/call/play_recording"
    return {
        "tags": ["Open API"],
        "operationId": "playRecording",
        "summary": "Get a call recording",
        "description": PLAY_RECORDING,
        "security": GET_SECURITY,
        "parameters": [MEDIA],
        "responses": _responses(path, "Where the recording is.", ref("RecordingLink")),
    }


def _recording(method: str) -> Json:
    path = "/recordings/{name}"
    kinds = ("audio/mpeg", "audio/wav", "audio/ogg", "application/json")
    content: Json = {kind: {} for kind in kinds} if method == "get" else {}
    part = {"description": "A part of it.", "headers": PART_HEADERS, "content": content}
    whole = {"description": "All of it.", "headers": MEDIA_HEADERS, "content": content}
    good = {"200": whole, "206": part} if method == "get" else {"200": whole}
    return {
        "tags": ["Recordings"],
        "operationId": f"{method}Recording",
        "summary": "Play a recording" if method == "get" else "Look at a recording",
        "description": RECORDING,
        "security": [],
        "parameters": RECORDING_PARAMETERS,
        "responses": {**good, **_errors(CODES[path], with_body=method == "get")},
    }


def _health(path: str, schema: str, summary: str) -> Json:
    answers = {
        status: _answer(words, ref(schema))
        for status, words in (("200", "Yes."), ("503", "No, and why not."))
    }
    return _operation(path, summary, {**answers, **_errors(())})


def _metrics() -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    metrics = {"description": "Metrics.", "headers": EVERY_HEADERS, "content": text}
    return _operation("metrics", "Metrics for Prometheus", {"200": metrics, **_errors(())})


def _root() -> Json:
    answer = _answer("It answers.", ref("Root"))
    return _operation("root", "Is anybody there?", {"200": answer, **_errors(())})


def _operation(operation_id: str, summary: str, responses: Json) -> Json:
    return {
        "tags": ["Operations"],
        "operationId": operation_id,
        "summary": summary,
        "security": [],
        "responses": responses,
    }


def _responses(path: str, words: str, schema: Json) -> Json:
    return {"200": _answer(words, schema), **_errors(CODES[path])}


def _answer(words: str, schema: Json) -> Json:
    return {
        "description": words,
        "headers": dict(EVERY_HEADERS),
        "content": {"application/json": {"schema": schema}},
    }


def _errors(codes: tuple[str, ...], *, with_body: bool = True) -> Json:
    """One answer for each status, with every code that comes under it."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *_ALWAYS):
        by_status.setdefault(ERRORS[code].status, []).append(code)
    return {str(status): _error(by_status[status], with_body) for status in sorted(by_status)}


def _error(codes: list[str], with_body: bool) -> Json:
    named = {"properties": {"message": {"enum": codes}}}
    content = {
        "schema": {"allOf": [ref("Error"), named]},
        "examples": {code: {"value": example_error(code)} for code in codes},
    }
    answer = {
        "description": " ".join(f"`{code}`: {ERRORS[code].sentence}" for code in codes),
        "headers": _error_headers(codes),
    }
    return {**answer, "content": {"application/json": content}} if with_body else answer

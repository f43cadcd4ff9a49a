"""The schemas, parameters, headers and texts that the OpenAPI document is made of."""

from __future__ import annotations

from typing import Any

from trunkline.api.http.errors import ERRORS

Json = dict[str, Any]

INTRODUCTION = """\
Ask for a call, follow it by its events, read its record, play its recording. Two APIs are side by side:
the four calls of the Open API, for apps with an id and a secret, and `/v1`, for keys. Every answer has
`X-Request-Id`.

`/v1`: send `Authorization: Bearer tlk_…`, a key of `trunkline key create`. Every error is
`application/problem+json` (RFC 9457) with a stable `code` and a `type` that leads to a page about it.

Open API: every error is
`{"success": false, "message": CODE, "detail": a sentence, "request_id": the same id}`.
Requests are refused in this order: method, app id, hash, parameters. They are hashed as the documents of the four calls say, or signed: four headers,
`x-auth-app-id`, `x-auth-timestamp` (unix seconds), `x-auth-nonce` (16 to 64 of `A-Z a-z 0-9 _ -`) and
`x-auth-signature`, the hex HMAC-SHA256 under the app's secret over five lines joined by a newline:
method, path with query as sent, timestamp, nonce, hex SHA-256 of the body. GET calls that are signed
take no `appId` and no `hash`.
"""

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
    """A reference to a schema of the document."""
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
_NAME_PATTERN = r"^call_recording_[A-Za-z0-9-]{1,80}\.mp3$"
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


def error_headers(codes: list[str]) -> Json:
    """The headers that come with an error of one of these codes."""
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
    """What an error of the code looks like."""
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

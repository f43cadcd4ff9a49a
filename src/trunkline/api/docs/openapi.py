"""The OpenAPI 3.1 document. The contract is written by hand: its routes are few, and their words
matter; ``/v1`` is made from its table (``v1/document.py``).

Schemas and texts of the parts are in ``document_parts.py``; a test holds both against the routes
and the error table.
"""

from __future__ import annotations

from typing import Any

from trunkline import __version__
from trunkline.api.docs import openapi_contract as parts
from trunkline.api.docs import openapi_v1 as v1
from trunkline.api.http.errors import ERRORS
from trunkline.api.v1.table import ROUTES

Json = dict[str, Any]

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


def openapi_document() -> Json:
    """The document, with relative server URL: it is true wherever it is served."""
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Trunkline Open API",
            "version": __version__,
            "summary": "Calls, events, history and recordings of a phone system of your own.",
            "description": parts.INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [*parts.TAGS, *v1.TAGS, parts.OPERATIONS],
        "paths": {**_paths(), **v1.paths(ROUTES)},
        "components": {
            "schemas": parts.SCHEMAS | v1.schemas(ROUTES),
            "headers": parts.HEADERS | v1.HEADERS,
            "securitySchemes": parts.SECURITY_SCHEMES | v1.SECURITY_SCHEMES,
        },
    }


def _paths() -> Json:
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
        "security": parts.POST_SECURITY,
        "responses": _responses("/oapi/v1/voice/auth_token", "The token.", parts.ref("Token")),
    }


def _click_to_call() -> Json:
    path = "/oapi/v1/call/click-to-call/{number}"
    body = {"required": True, "content": {"application/json": {"schema": parts.ref("ClickToCall")}}}
    return {
        "tags": ["Open API"],
        "operationId": "clickToCall",
        "summary": "Click to call",
        "description": parts.CLICK_TO_CALL,
        "security": parts.POST_SECURITY,
        "parameters": [parts.NUMBER, parts.IDEMPOTENCY_KEY],
        "requestBody": body,
        "responses": _responses(path, "The device is ringing.", parts.ref("CallPlaced")),
    }


def _histories() -> Json:
    rows = {"type": "array", "items": parts.ref("HistoryRow")}
    found = _responses("/oapi/v1/call/histories", "One page, newest first.", rows)
    found["200"]["headers"].update(parts.PAGE_HEADERS)
    return {
        "tags": ["Open API"],
        "operationId": "histories",
        "summary": "Get call history",
        "description": parts.HISTORIES,
        "security": parts.GET_SECURITY,
        "parameters": parts.HISTORIES_PARAMETERS,
        "responses": found,
    }


def _play_recording() -> Json:
    path = "/oapi/v1/call/play_recording"
    return {
        "tags": ["Open API"],
        "operationId": "playRecording",
        "summary": "Get a call recording",
        "description": parts.PLAY_RECORDING,
        "security": parts.GET_SECURITY,
        "parameters": [parts.MEDIA],
        "responses": _responses(path, "Where the recording is.", parts.ref("RecordingLink")),
    }


def _recording(method: str) -> Json:
    path = "/recordings/{name}"
    content: Json = {"audio/mpeg": {}} if method == "get" else {}
    part = {"description": "A part of it.", "headers": parts.PART_HEADERS, "content": content}
    whole = {"description": "All of it.", "headers": parts.MEDIA_HEADERS, "content": content}
    good = {"200": whole, "206": part} if method == "get" else {"200": whole}
    return {
        "tags": ["Recordings"],
        "operationId": f"{method}Recording",
        "summary": "Play a recording" if method == "get" else "Look at a recording",
        "description": parts.RECORDING,
        "security": [],
        "parameters": parts.RECORDING_PARAMETERS,
        "responses": {**good, **_errors(CODES[path], with_body=method == "get")},
    }


def _health(path: str, schema: str, summary: str) -> Json:
    answers = {
        status: _answer(words, parts.ref(schema))
        for status, words in (("200", "Yes."), ("503", "No, and why not."))
    }
    return _operation(path, summary, {**answers, **_errors(())})


def _metrics() -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    metrics = {"description": "Metrics.", "headers": parts.EVERY_HEADERS, "content": text}
    return _operation("metrics", "Metrics for Prometheus", {"200": metrics, **_errors(())})


def _root() -> Json:
    answer = _answer("It answers.", parts.ref("Root"))
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
        "headers": dict(parts.EVERY_HEADERS),
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
        "schema": {"allOf": [parts.ref("Error"), named]},
        "examples": {code: {"value": parts.example_error(code)} for code in codes},
    }
    answer = {
        "description": " ".join(f"`{code}`: {ERRORS[code].sentence}" for code in codes),
        "headers": parts.error_headers(codes),
    }
    return {**answer, "content": {"application/json": content}} if with_body else answer

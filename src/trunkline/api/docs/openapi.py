"""The OpenAPI 3.1 document: the Open API's part, written by hand, and that of ``/v1``, made from its table."""

from __future__ import annotations

from typing import Any

from trunkline import __version__
from trunkline.api.docs import openapi_contract as contract
from trunkline.api.docs import openapi_v1 as v1
from trunkline.api.v1.table import ROUTES

Json = dict[str, Any]

_INTRODUCTION = """\
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


def openapi_document() -> Json:
    """The document, with relative server URL: it is true wherever it is served."""
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Trunkline Open API",
            "version": __version__,
            "summary": "Calls, events, history and recordings of a phone system of your own.",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [*contract.TAGS, *v1.TAGS, contract.OPERATIONS],
        "paths": {**contract.paths(), **v1.paths(ROUTES)},
        "components": {
            "schemas": contract.SCHEMAS | v1.schemas(ROUTES),
            "headers": contract.HEADERS | v1.HEADERS,
            "securitySchemes": contract.SECURITY_SCHEMES | v1.SECURITY_SCHEMES,
        },
    }

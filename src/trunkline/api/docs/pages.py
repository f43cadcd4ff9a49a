"""The OpenAPI and AsyncAPI documents and the pages that show them: all of it from the package."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from trunkline.api.docs.asyncapi import asyncapi_document
from trunkline.api.docs.openapi import openapi_document
from trunkline.api.http.answers import JSON, Answer, Headers
from trunkline.api.http.errors import refuse
from trunkline.api.http.request import AnyRequest

_FILES = ("index.html", "events.html", "page.css", "elements.js", "page.js", "events.js")
_TYPES = {"html": b"text/html", "css": b"text/css", "js": b"text/javascript"}
_POLICY = b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"


_JSON: Headers = (JSON, (b"cache-control", b"no-cache"))


class Docs:
    """The documents and the parts of /docs, ready to be sent. Reads its files once, when it is made."""

    def __init__(self) -> None:
        self.openapi = Answer(msgspec.json.encode(openapi_document()), headers=_JSON)
        self.asyncapi = Answer(msgspec.json.encode(asyncapi_document()), headers=_JSON)
        folder = files("trunkline.api.docs") / "page"
        self.parts = {name: _part(name, (folder / name).read_bytes()) for name in _FILES}

    async def part(self, request: AnyRequest) -> Answer:
        """GET /docs/{name}: the pages' style and scripts."""
        name = str(request.path_params["name"])
        if name not in self.parts:
            raise refuse("NOT_FOUND")
        return self.parts[name]


def _part(name: str, body: bytes) -> Answer:
    kind = _TYPES[name.rpartition(".")[2]] + b"; charset=utf-8"
    headers = (
        (b"content-type", kind),
        (b"content-security-policy", _POLICY),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-cache"),
    )
    return Answer(body, headers=headers)

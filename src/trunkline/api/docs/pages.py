"""The OpenAPI and AsyncAPI documents and the pages that show them: all of it from the package."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from trunkline.api.docs.asyncapi import asyncapi_document
from trunkline.api.docs.openapi import openapi_document
from trunkline.api.http.answers import JSON, Answer
from trunkline.api.http.errors import refuse
from trunkline.api.http.request import AnyRequest

_FILES = ("index.html", "events.html", "page.css", "elements.js", "page.js", "events.js")
_TYPES = {"html": b"text/html", "css": b"text/css", "js": b"text/javascript"}
_POLICY = b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"


class Docs:
    """The documents and /docs, as route handlers. Reads its files once, when it is made."""

    def __init__(self) -> None:
        self._openapi = msgspec.json.encode(openapi_document())
        self._asyncapi = msgspec.json.encode(asyncapi_document())
        folder = files("trunkline.api.docs") / "page"
        self._parts = {name: (folder / name).read_bytes() for name in _FILES}

    async def document(self) -> Answer:
        """GET /openapi.json"""
        return Answer(self._openapi, 200, (JSON, (b"cache-control", b"no-cache")))

    async def events_document(self) -> Answer:
        """GET /asyncapi.json"""
        return Answer(self._asyncapi, 200, (JSON, (b"cache-control", b"no-cache")))

    async def page(self) -> Answer:
        """GET /docs"""
        return self._part("index.html")

    async def events_page(self) -> Answer:
        """GET /docs/events"""
        return self._part("events.html")

    async def part(self, request: AnyRequest) -> Answer:
        """GET /docs/{name}: the pages' style and scripts."""
        return self._part(str(request.path_params["name"]))

    def _part(self, name: str) -> Answer:
        if name not in self._parts:
            raise refuse("NOT_FOUND")
        kind = _TYPES[name.rpartition(".")[2]] + b"; charset=utf-8"
        headers = (
            (b"content-type", kind),
            (b"content-security-policy", _POLICY),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-cache"),
        )
        return Answer(self._parts[name], 200, headers)

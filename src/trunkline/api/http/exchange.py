"""What every HTTP exchange has around it: a request id, a count, and no body after HEAD."""

from __future__ import annotations

import random
import re

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Counter

from trunkline.api.http.request import header

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_ids = random.Random()  # noqa: S311 - no secret: the system's would cost a system call each
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


def request_id(scope: Scope) -> str:
    """The id of the exchange: the client's, where it is a sane one, or else ours."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        state["request_id"] = _chosen_id(scope)
    return str(state["request_id"])


def _chosen_id(scope: Scope) -> str:
    given = header(scope, b"x-request-id")
    return given if _REQUEST_ID.fullmatch(given) else f"{_ids.getrandbits(128):032x}"


class Envelope:
    """ASGI around the whole API; WebSockets pass through."""

    def __init__(self, app: ASGIApp, counter: Counter) -> None:
        self._app = app
        self._counter = counter
        self._counted: dict[tuple[str, str, int], Counter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        id_ = request_id(scope)
        head = scope["method"] == "HEAD"

        async def enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"x-request-id", id_.encode())]
                message["headers"] = headers
                self._count(scope, message["status"])
            elif head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        tokens = structlog.contextvars.bind_contextvars(request_id=id_)
        try:
            await self._app(scope, receive, enveloped)
        finally:
            structlog.contextvars.reset_contextvars(**tokens)

    def _count(self, scope: HTTPScope, status: int) -> None:
        method = str(scope["method"])
        route = str(scope.get("path_template") or "none")
        key = (method if method in _METHODS else "other", route, status)
        counted = self._counted.get(key)
        if counted is None:
            counted = self._counted[key] = self._counter.labels(*key)
        counted.inc()

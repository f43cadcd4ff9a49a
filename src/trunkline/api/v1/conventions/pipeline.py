"""The way of a request of /v1: its key, its parameters and body, its function, its answer."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from litestar.types import HTTPScope, Receive, Send

from trunkline.api.http.answers import JSON, NO_STORE, Answer, Headers, Stream
from trunkline.api.http.deps import ApiDeps
from trunkline.api.http.exchange import request_id
from trunkline.api.http.request import base_url, read_body
from trunkline.api.v1.conventions.cursors import Cursors
from trunkline.api.v1.conventions.idempotency import Idempotency
from trunkline.api.v1.conventions.key_auth import KeyAuth
from trunkline.api.v1.conventions.long_polls import LongPolls
from trunkline.api.v1.conventions.parameters import read_json, read_parameters
from trunkline.api.v1.conventions.problems import Problems, limits_told
from trunkline.api.v1.conventions.rate_limits import KeyRates
from trunkline.api.v1.conventions.routing import Context, Request, Response, Route
from trunkline.store.ports.apps import ApiKey
from trunkline.work.refused import Refused

_encode = msgspec.json.Encoder().encode


class V1:
    """The modern API. ``admit`` and ``refuse`` serve whatever else takes its keys (see ``event_stream.py``)."""

    def __init__(self, deps: ApiDeps) -> None:
        """Raises ValueError when a rate is not like ``20/second``."""
        rates = KeyRates(deps.v1_request_rate, deps.auth_failures, deps.logins)
        self._deps = deps
        self.auth = KeyAuth(deps.db.keys, rates, deps.clock)
        self.problems = Problems(deps.public_url, deps.docs)
        self._polls = LongPolls(deps.bus)
        self._idempotency = Idempotency(deps.db.requests, deps.answers_key, deps.clock, _new_id)
        cursors = Cursors(deps.url_key)
        self._context = Context(deps, self.auth, rates, cursors, self._polls)

    async def admit(self, scope: HTTPScope, required: str | None) -> ApiKey:
        """The key of a request, which has the scope; raises Problem (a Refused)."""
        return await self.auth.admit(scope, required)

    async def refuse(
        self, scope: HTTPScope, send: Send, refused: Refused, headers: Headers = ()
    ) -> None:
        """Answer a request that did not come through the HTTP API, ``headers`` along with it."""
        id_ = (b"x-request-id", request_id(scope).encode())
        answer = self.problems.answer(scope, refused, (*headers, id_))
        await answer(scope, _nothing, send)

    def close(self) -> None:
        """Have every request that waits answer now; call it before the HTTP server stops."""
        self._polls.close()

    async def serve(
        self, route: Route, scope: HTTPScope, receive: Receive, path: dict[str, str]
    ) -> Answer:
        """The route's answer to a request; raises Refused."""
        key = await self.auth.admit(scope, route.scope)
        parameters = read_parameters(route.parameters, path, scope["query_string"])
        sent = await read_body(scope, receive) if route.changes else b""
        body = read_json(route.body, sent) if route.changes else None

        async def run(id_: str) -> Answer:
            request: Request[Any, Any] = Request(
                key,
                parameters,
                body,
                id_,
                self._deps.clock(),
                self._context,
                _gone(receive),
                base_url(scope, self._deps.public_url),
            )
            reply = await route.function(request)
            if reply.stream is not None:
                return await _streamed(reply.stream, reply.headers)
            return self._answer(route, scope, reply)

        if route.changes:
            answer = await self._idempotency(scope, key, _all_of(scope, sent), run)
        else:
            answer = await run("")
        answer.headers = (*answer.headers, *limits_told(scope))
        return answer

    def _answer(self, route: Route, scope: HTTPScope, reply: Response) -> Answer:
        status = reply.status or route.status
        if status == 204:
            return Answer(b"", status, (NO_STORE, *reply.headers))
        headers = (JSON, NO_STORE, *reply.headers, *self._link(scope, reply.next))
        return Answer(_encode(reply.value), status, headers)

    def _link(self, scope: HTTPScope, query: Sequence[tuple[str, str | int]] | None) -> Headers:
        """RFC 8288."""
        if query is None:
            return ()
        url = f"{base_url(scope, self._deps.public_url)}{quote(scope['path'])}?{urlencode(query)}"
        return ((b"link", f'<{url}>; rel="next"'.encode()),)


def _new_id() -> str:
    return secrets.token_hex(16)


def _all_of(scope: HTTPScope, body: bytes) -> bytes:
    method = str(scope["method"])
    return b"\n".join((method.encode(), scope["path"].encode(), scope["query_string"], body))


async def _streamed(pieces: AsyncIterator[bytes], headers: Headers) -> Stream:
    """What goes wrong before its first piece is there is told like any other failure."""
    first = await anext(pieces, b"")
    return Stream(200, (NO_STORE, *headers), first, pieces)


def _gone(receive: Receive) -> Any:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return gone


async def _nothing() -> Any:
    raise NotImplementedError  # an answer that is made needs nothing from the client

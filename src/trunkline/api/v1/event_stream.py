"""How ``GET /v1/events/stream`` is asked and answered; ``live/sse.py`` serves it, and is given this."""

from __future__ import annotations

from typing import Annotated

from litestar.types import HTTPScope
from msgspec import Meta, field

from trunkline.api.http.answers import Headers
from trunkline.api.http.exchange import request_id
from trunkline.api.v1.conventions.parameters import read_headers, read_parameters
from trunkline.api.v1.conventions.problems import limits_told, problem
from trunkline.api.v1.conventions.routing import Parameters, Request, Response, Route
from trunkline.api.v1.events import Number, Types, bindings_of
from trunkline.events.bindings import Binding, parse

_EVERYTHING = (parse("#"),)


class StreamQuery(Parameters, frozen=True, kw_only=True):
    types: Types = ()
    after: (
        Annotated[
            Number,
            Meta(description="The last number that you have; without it, from the next event on."),
        ]
        | None
    ) = None


class StreamHeaders(Parameters, frozen=True, kw_only=True):
    """What a client sends that comes back."""

    last_event_id: (
        Annotated[Number, Meta(description="The same as `after`, and goes before it.")] | None
    ) = field(default=None, name="Last-Event-ID")


def read_stream(scope: HTTPScope) -> tuple[tuple[Binding, ...], int | None]:
    """(which events, after which number) a request asks for; raises Problem parameters_invalid.

    ``Last-Event-ID`` goes before ``after``: a client that comes back repeats its first URL.
    """
    query = read_parameters(StreamQuery, {}, scope["query_string"])
    last = read_headers(StreamHeaders, scope["headers"]).last_event_id
    bindings = tuple(bindings_of(query.types)) or _EVERYTHING
    return bindings, query.after if last is None else last


def stream_headers(scope: HTTPScope) -> Headers:
    """What every answer of /v1 has: ``X-Request-Id``, and ``RateLimit`` once the key was admitted."""
    return ((b"x-request-id", request_id(scope).encode()), *limits_told(scope))


async def stream_events(request: Request[StreamQuery, None]) -> Response:  # noqa: ARG001
    """Server-sent events: `id` is the number, `event` the type, `data` the envelope. Without a number
    it begins with the next event."""
    raise problem("not_found")  # only where there are no event sockets


STREAM = Route(
    "GET",
    "/v1/events/stream",
    "events:read",
    stream_events,
    "Follow the event log",
    parameters=StreamQuery,
    tag="Events",
    media_types=("text/event-stream",),
)
"""In no table of routes: ``live/sse.py`` serves it."""

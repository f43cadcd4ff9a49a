"""Calls: find them, follow their changes, and take them away as a file."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trunkline.api.v1.call_fields import KEYS, ShownCall, shown
from trunkline.api.v1.call_filter import CallsFilter, filter_of
from trunkline.api.v1.conventions.problems import Fault, parameters_invalid
from trunkline.api.v1.conventions.routing import (
    MOST,
    Cursor,
    Limit,
    Request,
    Response,
    ResponseBody,
    Route,
)
from trunkline.store.ports.history import NEWEST, CallFilter, CallKey

_LIST, _UPDATES = "calls", "calls by update"


class CallsQuery(CallsFilter, frozen=True, kw_only=True):
    fields: Annotated[
        tuple[str, ...],
        Meta(
            description="Only these keys of each call.",
            extra_json_schema={"items": {"type": "string", "enum": list(KEYS)}},
        ),
    ] = ()
    updated_after: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=MOST,
                description="In the order of their last change, those after this number; 0 begins.",
            ),
        ]
        | None
    ) = None
    limit: Limit = 100
    cursor: Cursor | None = None


class CallPage(ResponseBody, frozen=True, kw_only=True):
    """Finished calls: newest first, or with `updated_after` in the order of their last change."""

    calls: list[ShownCall]
    next: Annotated[
        str | None, Meta(description="The `cursor` of what follows; null: nothing does.")
    ]
    total: Annotated[
        int | None, Meta(description="How many there are in all; null where a filter is set.")
    ]
    next_updated_after: Annotated[
        int | None, Meta(description="What to send as `updated_after` the next time.")
    ]


async def list_calls(request: Request[CallsQuery, None]) -> Response:
    """Finished calls, newest first. A page looks at a few thousand calls at most: where a filter
    passes over many, it may have few calls, or none, and yet a `next`; go on until that is null.

    With `updated_after` they come in the order of their last change (their end, their recording, a
    note, a tag), each once: keep `next_updated_after` and send it the next time, and none is missed."""
    query, wanted = request.parameters, filter_of(request.parameters)
    if unknown := [name for name in query.fields if name not in KEYS]:
        raise parameters_invalid([Fault(f"There is no key {unknown[0]!r}.", parameter="fields")])
    if query.updated_after is not None:
        return await _changed(request, wanted, query.updated_after)
    return await _listed(request, wanted)


async def _listed(request: Request[CallsQuery, None], wanted: CallFilter) -> Response:
    query, history = request.parameters, request.context.deps.db.history
    after = NEWEST
    if query.cursor is not None:
        after = CallKey(*_position(request, query.cursor, _LIST, tuple[int, str]))
    found = await history.find(request.account_id, wanted, after, query.limit)
    total = None
    if wanted.by_time_only:
        total = await history.total(request.account_id, wanted.start, wanted.end)
    return _page(request, found.rows, _LIST, found.rest, total, None)


async def _changed(request: Request[CallsQuery, None], wanted: CallFilter, after: int) -> Response:
    query, history = request.parameters, request.context.deps.db.history
    if query.cursor is not None:
        after = _position(request, query.cursor, _UPDATES, int)
    found = await history.changed(request.account_id, wanted, after, query.limit)
    rest = found.upto if found.more else None
    return _page(request, found.rows, _UPDATES, rest, None, found.upto)


def _position(request: Request[CallsQuery, None], cursor: str, what: str, kind: Any) -> Any:
    return request.context.cursors.read(cursor, what, request.account_id, kind)


def _page(
    request: Request[CallsQuery, None],
    rows: Any,
    what: str,
    rest: CallKey | int | None,
    total: int | None,
    upto: int | None,
) -> Response:
    fields, cursor = request.parameters.fields, None
    if rest is not None:
        cursor = request.context.cursors.make(what, request.account_id, rest)
    page = CallPage(
        calls=[shown(row, fields) for row in rows],
        next=cursor,
        total=total,
        next_updated_after=upto,
    )
    return Response(
        page, next=[*_asked_again(request.parameters), ("cursor", cursor)] if cursor else None
    )


def _asked_again(query: CallsQuery) -> list[tuple[str, str | int]]:
    """The query but for its cursor."""
    sent: list[tuple[str, str | int]] = []
    for field in msgspec.structs.fields(query):
        value = getattr(query, field.name)
        if field.name == "cursor" or value == field.default:
            continue
        text = ",".join(value) if isinstance(value, tuple) else value
        sent.append((field.encode_name, str(text).lower() if isinstance(text, bool) else text))
    return sent


_TAG = "Calls"

ROUTES = (
    Route("GET", "/v1/calls", "calls:read", list_calls, "Find calls",
          parameters=CallsQuery, answer=CallPage, tag=_TAG),
)  # fmt: skip

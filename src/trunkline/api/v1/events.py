"""The account's event log: read it from a number on, wait for what comes, or take one event.

Work is bounded: a request looks at no more than ``MOST_LOOKED_AT`` events, whatever its filter lets
through, and ``next_after`` says how far it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trunkline.api.v1.conventions.long_polls import Poll
from trunkline.api.v1.conventions.problems import Fault, problem
from trunkline.api.v1.conventions.routing import (
    MOST,
    Limit,
    Parameters,
    Request,
    Response,
    ResponseBody,
    Route,
)
from trunkline.events.bindings import Binding, BindingInvalid, BindingSet, parse
from trunkline.events.envelope import EventEnvelope, envelope
from trunkline.events.stored import StoredEvent

MOST_LOOKED_AT = 5000
"""Events that one request looks at."""

_CHUNK = 200
"""Events between which other requests get their turn."""

Number = Annotated[int, Meta(ge=0, le=MOST)]
Types = Annotated[
    tuple[str, ...],
    Meta(
        description="Bindings, as on the event sockets: only events that match one of them.",
        examples=[["call.CALL_ENDED.*", "device.#"]],
        max_length=100,
    ),
]


class EventsQuery(Parameters, frozen=True, kw_only=True):
    after: Annotated[Number, Meta(description="The last number that you have; 0 begins.")] = 0
    limit: Limit = 100
    types: Types = ()
    call_id: (
        Annotated[
            str, Meta(description="Only the events of this call.", min_length=1, max_length=255)
        ]
        | None
    ) = None
    wait: Annotated[
        int, Meta(ge=0, le=60, description="Seconds to wait for an event when there is none.")
    ] = 0


class OneEvent(Parameters, frozen=True, kw_only=True):
    seq: Annotated[int, Meta(ge=1, le=MOST, description="Its number.")]


class Gap(ResponseBody, frozen=True, kw_only=True):
    """Numbers that were asked for and are kept no more, both ends included."""

    from_: int = msgspec.field(name="from")
    to: int


class EventPage(ResponseBody, frozen=True, kw_only=True):
    """A part of the log, in order. Go on with ``after=next_after``."""

    events: list[EventEnvelope]
    next_after: Annotated[int, Meta(description="What to send as `after` for what follows.")]
    gap: Gap | None
    newest: Annotated[int, Meta(description="The newest number given.")]


class _Found(msgspec.Struct):
    """A part of the log as it was read: ``upto`` is the last number that was looked at."""

    events: list[msgspec.Raw]
    upto: int
    gap: Gap | None
    newest: int

    @property
    def reached_the_end(self) -> bool:
        return self.upto >= self.newest


class _Filter:
    """The filter of a request; raises Problem parameters_invalid."""

    def __init__(self, query: EventsQuery) -> None:
        self.call_id = query.call_id
        self._bindings = BindingSet(bindings_of(query.types))

    def at_once(self, limit: int) -> int:
        """How many events to read for ``limit`` of them: most may have to be passed over."""
        return _CHUNK if self._bindings else min(limit, _CHUNK)

    def __call__(self, event: StoredEvent) -> bool:
        if self.call_id is not None and event.call_id != self.call_id:
            return False
        key = (event.category, event.name, event.subject)
        return not self._bindings or self._bindings.matches(key)


def bindings_of(texts: Iterable[str]) -> list[Binding]:
    """The bindings of a parameter ``types``; raises Problem parameters_invalid, all faults named."""
    faults: list[Fault] = []
    bindings = []
    for text in texts:
        try:
            bindings.append(parse(text))
        except BindingInvalid as error:
            faults.append(Fault(_no_binding(str(error)), parameter="types"))
    if faults:
        raise problem("parameters_invalid", "Cannot be taken: types.", errors=faults)
    return bindings


def _no_binding(error: str) -> str:
    """Where ``call.#`` was sent as it is, only ``call.`` arrives: what follows is a fragment."""
    return f"{error[0].upper()}{error[1:]} (write category.EVENT.id; a # is %23 in a URL)."


async def read_events(request: Request[EventsQuery, None]) -> Response:
    """Events with a number above `after`, in order. `next_after` always moves on past what was looked
    at, also where a filter let nothing through: an empty page with `next_after` below `newest` means
    "go on", and has a `Link` to where. With `wait`, a request for which there is nothing yet is
    answered when the first event comes, or empty when the time is over. `gap` names numbers that
    retention has taken."""
    query = request.parameters
    wanted = _Filter(query)
    if not query.wait:
        return _reply(request, await _read(request, wanted, query.after))
    with request.context.polls.waiting(request.account_id, wanted) as poll:
        found = await _waited_for(request, wanted, poll)
    await request.context.auth.recheck(request.key)
    return _reply(request, found)


async def _waited_for(request: Request[EventsQuery, None], wanted: _Filter, poll: Poll) -> _Found:
    ends = monotonic() + request.parameters.wait
    found = await _read(request, wanted, request.parameters.after)
    while _nothing_in(found) and not poll.closed and (left := ends - monotonic()) > 0:
        woken = await poll.wait(left, request.gone)
        found = await _read(request, wanted, found.upto)
        if not woken:
            break
    return found


def _nothing_in(found: _Found) -> bool:
    return not found.events and found.gap is None and found.reached_the_end


async def _read(request: Request[EventsQuery, None], wanted: _Filter, after: int) -> _Found:
    if wanted.call_id is None:
        return await _looked_through(request, wanted, after)
    return await _of_call(request, wanted, wanted.call_id, after)


async def _looked_through(
    request: Request[EventsQuery, None], wanted: _Filter, after: int
) -> _Found:
    """Event by event: numbers follow each other, so where one is missing, retention took it."""
    events, limit = request.context.deps.db.events, request.parameters.limit
    _, newest = await events.bounds(request.account_id)
    found, size = _Found([], after, None, newest), wanted.at_once(limit)
    for _ in range(0, MOST_LOOKED_AT, _CHUNK):
        chunk = await events.after(request.account_id, found.upto, size)
        if not chunk:
            break
        if chunk[0].seq > found.upto + 1:
            if found.upto > after:
                break  # retention came amid the reading: the next request tells of it
            found.gap = Gap(from_=after + 1, to=chunk[0].seq - 1)
        _take(found, filter(wanted, chunk), chunk[-1].seq, limit)
        if len(found.events) == limit or len(chunk) < size:
            break
        await asyncio.sleep(0)
    return await _to_the_end(request, found)


async def _of_call(
    request: Request[EventsQuery, None], wanted: _Filter, call_id: str, after: int
) -> _Found:
    """By the index of calls; the newest number is read first, the oldest kept last: an event that
    comes or goes meanwhile is told of rather than passed over."""
    events, limit = request.context.deps.db.events, request.parameters.limit
    _, newest = await events.bounds(request.account_id)
    found = _Found([], after, None, newest)
    for _ in range(0, MOST_LOOKED_AT, _CHUNK):
        chunk = await events.of_call(request.account_id, call_id, found.upto, _CHUNK)
        upto = (
            chunk[-1].seq
            if len(chunk) == _CHUNK
            else max([newest, *(event.seq for event in chunk[-1:])])
        )
        _take(found, filter(wanted, chunk), max(upto, found.upto), limit)
        if len(found.events) == limit or len(chunk) < _CHUNK:
            break
        await asyncio.sleep(0)
    oldest, _ = await events.bounds(request.account_id)
    if oldest > after + 1:
        found.gap = Gap(from_=after + 1, to=oldest - 1)
    return found


def _take(found: _Found, wanted: Iterable[StoredEvent], upto: int, limit: int) -> None:
    """Take what is wanted of the events up to a number; where the page is full, not all of it."""
    found.upto = upto
    for event in wanted:
        found.events.append(msgspec.Raw(envelope(event)))
        if len(found.events) == limit:
            found.upto = event.seq
            return


async def _to_the_end(request: Request[EventsQuery, None], found: _Found) -> _Found:
    """Where retention took all that there was, nothing follows, and all of it is the gap."""
    oldest, _ = await request.context.deps.db.events.bounds(request.account_id)
    if found.upto < found.newest < oldest:
        found.gap = found.gap or Gap(from_=found.upto + 1, to=found.newest)
        found.upto = found.newest
    return found


def _reply(request: Request[EventsQuery, None], found: _Found) -> Response:
    query = request.parameters
    page: dict[str, Any] = {
        "events": found.events,
        "next_after": found.upto,
        "gap": found.gap,
        "newest": max(found.newest, found.upto if found.events else 0),
    }
    if found.reached_the_end:
        return Response(page)
    kept: list[tuple[str, str | int]] = [("types", text) for text in query.types]
    if query.call_id is not None:
        kept.append(("call_id", query.call_id))
    return Response(page, next=[("after", found.upto), ("limit", query.limit), *kept])


async def read_event(request: Request[OneEvent, None]) -> Response:
    """One event, by its number."""
    events, seq = request.context.deps.db.events, request.parameters.seq
    found = await events.after(request.account_id, seq - 1, 1)
    if found and found[0].seq == seq:
        return Response(msgspec.Raw(envelope(found[0])))
    oldest, newest = await events.bounds(request.account_id)
    if seq > newest:
        raise problem("not_found", f"There is no event {seq} yet; the newest is {newest}.")
    raise problem("event_gone", f"Event {seq} is not kept any more; the oldest kept is {oldest}.")


ROUTES = (
    Route("GET", "/v1/events", "events:read", read_events, "Read the event log",
          parameters=EventsQuery, answer=EventPage, tag="Events", problems=("too_many_waiting",)),
    Route("GET", "/v1/events/{seq}", "events:read", read_event, "Read one event",
          parameters=OneEvent, answer=EventEnvelope, tag="Events", problems=("event_gone",)),
)  # fmt: skip

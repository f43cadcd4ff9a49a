"""What webhook endpoints were sent: the log of deliveries, and sending again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, field

from trunkline.api.v1.conventions.routing import (
    MOST,
    Cursor,
    Limit,
    Parameters,
    Request,
    RequestBody,
    Response,
    ResponseBody,
    Route,
    Time,
    alike,
)
from trunkline.calls.times import rfc3339, rfc3339_or_none
from trunkline.calls.words import DeliveryStatus
from trunkline.delivery.webhook import (
    Attempt,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Webhook,
    message_id,
)
from trunkline.store.ports.database import Database
from trunkline.store.ports.webhooks import DeliveryFilter
from trunkline.work.deliver.webhook_request import body_of
from trunkline.work.manage.webhooks import ReplayRange

_WebhookId = Annotated[str, Meta(description="The webhook's id.", max_length=64)]
_Number = Annotated[int, Meta(ge=0, le=MOST)]


class DeliveriesQuery(Parameters, frozen=True, kw_only=True):
    webhook_id: _WebhookId
    state: DeliveryStatus | None = None
    call_id: (
        Annotated[str, Meta(description="Only events of this call.", max_length=255)] | None
    ) = None
    seq_from: Annotated[_Number, Meta(description="Only events from this number on.")] = 0
    seq_to: Annotated[_Number, Meta(description="Only events up to this number.")] = MOST
    limit: Limit = 100
    cursor: Cursor | None = None


class WhichDelivery(Parameters, frozen=True, kw_only=True):
    webhook_id: _WebhookId
    delivery_id: Annotated[int, Meta(ge=1, le=MOST, description="Its id.")]


class WhichWebhook(Parameters, frozen=True, kw_only=True):
    webhook_id: _WebhookId


class Replay(RequestBody, frozen=True, kw_only=True):
    """Which events to send again: from a number (`from`) or a time (`since`) on."""

    from_: Annotated[_Number, Meta(description="The first number.")] | None = field(
        name="from", default=None
    )
    since: (
        Annotated[datetime, Meta(tz=True, description="RFC 3339; events from this time on.")] | None
    ) = None
    to: Annotated[_Number, Meta(description="The last number.")] | None = None


class Replayed(ResponseBody, frozen=True, kw_only=True):
    """What a replay has put into the queue."""

    queued: int


class ShownDelivery(ResponseBody, frozen=True, kw_only=True):
    """One event for the endpoint."""

    delivery_id: int
    message_id: Annotated[str, Meta(description="What is sent as `webhook-id`, each time.")]
    kind: Annotated[
        DeliveryKind,
        Meta(description="`gap`: numbers that retention took; `replay`, `test`: asked for."),
    ]
    type: Annotated[str, Meta(description="The event's name.")]
    seq: Annotated[int, Meta(description="The event's number; 0 for a test.")]
    gap_from: Annotated[int | None, Meta(description="Of a gap: the first number that is lost.")]
    call_id: str | None
    state: DeliveryState
    attempts: Annotated[int, Meta(description="How many there were.")]
    last_status: Annotated[int | None, Meta(description="Of the last attempt; null: no answer.")]
    last_error: str
    created_at: Time
    next_attempt_at: Annotated[
        Time | None, Meta(description="null: done, or waiting for an earlier event of its call.")
    ]
    done_at: Time | None


class ShownAttempt(ResponseBody, frozen=True, kw_only=True):
    """One request. Durations are milliseconds; null where it did not come to that."""

    at: Time
    status: Annotated[int | None, Meta(description="null: no answer; `error` says why.")]
    error: str
    address: Annotated[str, Meta(description="The address that it went to.")]
    resolve_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    first_byte_ms: Annotated[float | None, Meta(description="From the request to the status.")]
    total_ms: float
    answer: Annotated[str, Meta(description="The first 4 KiB of the answer's body, as text.")]


class OneDelivery(ShownDelivery, frozen=True, kw_only=True):
    """One event for the endpoint, with all that was sent and came back."""

    body: Annotated[
        str | None,
        Meta(description="The request's body, byte for byte; null: the event is kept no more."),
    ]
    tries: list[ShownAttempt]


class DeliveryPage(ResponseBody, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    deliveries: list[ShownDelivery]


async def webhook_of(request: Request[Any, Any]) -> Webhook:
    """The account's webhook that is asked for; raises Refused NOT_FOUND."""
    manage = request.context.deps.manage_webhooks
    return await manage.find(request.parameters.webhook_id, request.account_id)


async def list_deliveries(request: Request[DeliveriesQuery, None]) -> Response:
    """What the endpoint was sent, or is going to be, newest first. Kept as long as events are."""
    cursors, query, deps = request.context.cursors, request.parameters, request.context.deps
    webhook = await webhook_of(request)
    list_, before = f"deliveries of {webhook.id}", MOST
    if query.cursor is not None:
        before = cursors.read(query.cursor, list_, request.account_id, int)
    wanted = DeliveryFilter(
        state=query.state, call_id=query.call_id, seq_from=query.seq_from, seq_to=query.seq_to
    )
    rows = await deps.db.deliveries.deliveries(webhook.id, wanted, before, query.limit + 1)
    page = DeliveryPage(deliveries=[_shown(row) for row in rows[: query.limit]])
    if len(rows) <= query.limit:
        return Response(page)
    last = rows[query.limit - 1].id
    return Response(page, next=_same(query, cursors.make(list_, request.account_id, last)))


def _same(query: DeliveriesQuery, cursor: str) -> list[tuple[str, str | int]]:
    kept: list[tuple[str, str | int]] = [("limit", query.limit)]
    kept += [("state", query.state)] if query.state else []
    kept += [("call_id", query.call_id)] if query.call_id is not None else []
    kept += [("seq_from", query.seq_from)] if query.seq_from else []
    kept += [("seq_to", query.seq_to)] if query.seq_to != MOST else []
    return [*kept, ("cursor", cursor)]


async def read_delivery(request: Request[WhichDelivery, None]) -> Response:
    """One delivery with its body and every attempt."""
    return Response(await shown_delivery(request.context.deps.db, await _found(request)))


async def replay_delivery(request: Request[WhichDelivery, None]) -> Response:
    """Send it once more, under the same `webhook-id`. One that is pending is tried as soon as it is
    its turn."""
    deps, which = request.context.deps, request.parameters
    webhook = await webhook_of(request)
    await deps.manage_webhooks.replay_one(webhook, which.delivery_id)
    return Response(Replayed(queued=1))


async def replay_events(request: Request[WhichWebhook, Replay]) -> Response:
    """Send events again that the endpoint's filters match, in their order, each under the
    `webhook-id` that it had; also such as came before the endpoint was there. At most 100,000 numbers
    at a time."""
    deps, body = request.context.deps, request.body
    webhook = await webhook_of(request)
    since = None if body.since is None else int(body.since.timestamp() * 1_000_000)
    span = ReplayRange(first=body.from_, since=since, last=body.to)
    return Response(Replayed(queued=await deps.manage_webhooks.replay(webhook, span)))


async def _found(request: Request[WhichDelivery, None]) -> Delivery:
    deps, which = request.context.deps, request.parameters
    webhook = await webhook_of(request)
    return await deps.manage_webhooks.delivery(webhook, which.delivery_id)


async def shown_delivery(db: Database, delivery: Delivery) -> OneDelivery:
    """A delivery with all that was sent and came back."""
    body = await body_of(db.events, delivery)
    return OneDelivery(
        **delivery_values(delivery),
        body=None if body is None else body.decode(),
        tries=[_attempt(each) for each in await db.deliveries.attempts(delivery.id)],
    )


def _shown(delivery: Delivery) -> ShownDelivery:
    return ShownDelivery(**delivery_values(delivery))


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    """Every field of ``ShownDelivery``."""
    return alike(
        ShownDelivery.__struct_fields__,
        delivery,
        delivery_id=delivery.id,
        message_id=message_id(delivery.account_id, delivery),
        type=delivery.name,
        created_at=rfc3339(delivery.created_at),
        next_attempt_at=rfc3339_or_none(delivery.next_at),
        done_at=rfc3339_or_none(delivery.done_at),
    )


def _attempt(attempt: Attempt) -> ShownAttempt:
    shown, answer = ShownAttempt.__struct_fields__, attempt.answer.decode(errors="replace")
    return ShownAttempt(**alike(shown, attempt, at=rfc3339(attempt.at), answer=answer))


_ALL = "/v1/webhooks/{webhook_id}/deliveries"
_READ, _WRITE, _TAG = "webhooks:read", "webhooks:write", "Webhooks"

ROUTES = (
    Route("GET", _ALL, _READ, list_deliveries, "List a webhook's deliveries",
          parameters=DeliveriesQuery, answer=DeliveryPage, tag=_TAG),
    Route("GET", f"{_ALL}/{{delivery_id}}", _READ, read_delivery, "Look at a delivery",
          parameters=WhichDelivery, answer=OneDelivery, tag=_TAG),
    Route("POST", f"{_ALL}/{{delivery_id}}/replay", _WRITE, replay_delivery, "Send a delivery again",
          parameters=WhichDelivery, answer=Replayed, status=202, tag=_TAG, problems=("event_gone",)),
    Route("POST", "/v1/webhooks/{webhook_id}/replay", _WRITE, replay_events, "Send events again",
          parameters=WhichWebhook, body=Replay, answer=Replayed, status=202, tag=_TAG,
          problems=("range_invalid",)),
)  # fmt: skip

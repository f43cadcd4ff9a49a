"""Webhook endpoints, deliveries and attempts as their rows hold them: the same in every database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.delivery.verdict import Verdict
from trunkline.delivery.webhook import Attempt, Delivery, Outgoing, Webhook
from trunkline.store.ports.webhooks import DeliveryFilter, WebhookToAdd

COUNTED = 100_000
"""Pending deliveries are counted so far."""
NOT_KEPT = "the event is not kept any more; a GAP was sent instead"
"""The error of a delivery that was given up because its event is gone."""

_WEBHOOK = (
    *("id", "account_id", "url", "description", "events", "state", "reason", "cursor"),
    *("previous_until", "failing_since", "failures", "not_before", "created_at", "changed_at"),
)
_DELIVERY = (
    *("id", "webhook_id", "account_id", "seq", "gap_from", "lane", "call_id", "name", "kind"),
    *("state", "attempts", "step", "first_at", "next_at", "created_at", "done_at"),
    *("last_status", "last_error"),
)
_ATTEMPT = (
    *("at", "resolve_ms", "connect_ms", "tls_ms", "first_byte_ms", "total_ms"),
    *("address", "status", "error", "answer"),
)


def read_webhook(row: Sequence[Any]) -> Webhook:
    """The endpoint of a row of ``webhooks.sql``."""
    values = dict(zip(_WEBHOOK, row, strict=True))
    return Webhook(**{**values, "events": tuple(filter(None, values["events"].split(",")))})


def read_delivery(row: Sequence[Any]) -> Delivery:
    """The delivery of a row of ``deliveries.sql``."""
    return Delivery(**dict(zip(_DELIVERY, row, strict=True)))


def read_attempt(row: Sequence[Any]) -> Attempt:
    """The attempt of a row of ``deliveries.sql``."""
    return Attempt(**dict(zip(_ATTEMPT, row, strict=True)))


def attempt_columns(attempt: Attempt) -> dict[str, Any]:
    """What is stored of an attempt."""
    return {name: getattr(attempt, name) for name in _ATTEMPT}


def new_columns(new: WebhookToAdd, secret: str) -> dict[str, Any]:
    """A new endpoint as ``webhooks.sql: add`` takes it; ``secret`` is the encrypted one."""
    return {
        "id": new.id,
        "account_id": new.account_id,
        "url": new.url,
        "description": new.description,
        "events": ",".join(new.events),
        "secret": secret,
        "after": new.after,
        "now": new.now,
    }


def concluded_columns(delivery: Delivery, attempt: Attempt, verdict: Verdict) -> dict[str, Any]:
    """A delivery after an attempt, as ``deliveries.sql: conclude`` takes it."""
    return {
        "delivery_id": delivery.id,
        "state": verdict.state,
        "step": verdict.step,
        "at": attempt.at,
        "next_at": verdict.next_at,
        "done_at": None if verdict.state == "pending" else attempt.ended_at,
        "status": attempt.status,
        "error": attempt.error,
    }


def tested_columns(webhook_id: str, sent: Outgoing, attempt: Attempt, now: int) -> dict[str, Any]:
    """A test made at ``now`` with its one attempt, as ``deliveries.sql: add_test`` takes it."""
    return {
        "webhook_id": webhook_id,
        "lane": sent.lane,
        "name": sent.name,
        "state": "delivered" if attempt.success else "failed",
        "now": now,
        "at": attempt.at,
        "done_at": attempt.ended_at,
        "status": attempt.status,
        "error": attempt.error,
    }


def listing(
    webhook_id: str, wanted: DeliveryFilter, before: int, limit: int
) -> tuple[str, dict[str, Any]]:
    """(name, parameters) of the query of ``deliveries.sql`` that has an index for what is wanted."""
    where: dict[str, Any] = {
        "webhook_id": webhook_id,
        "before": before,
        "limit": limit,
        "first": wanted.seq_from,
        "last": wanted.seq_to,
    }
    if wanted.call_id is not None:
        return "deliveries_of", {**where, "call_id": wanted.call_id, "state": wanted.state}
    if wanted.state is not None:
        return "deliveries_in", {**where, "state": wanted.state}
    return "deliveries", where

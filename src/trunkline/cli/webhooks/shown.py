"""Webhooks, deliveries and attempts, as they are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.calls.times import rfc3339_or_none

if TYPE_CHECKING:
    from trunkline.delivery.webhook import Attempt, Delivery, Webhook


def shown_webhook(webhook: Webhook, **more: Any) -> dict[str, Any]:
    """A webhook's keys; ``more`` are secrets, shown this once."""
    return {
        "webhookId": webhook.id,
        "accountId": webhook.account_id,
        "url": webhook.url,
        "events": list(webhook.events),
        "description": webhook.description,
        **more,
        "state": webhook.state,
        "reason": webhook.reason,
        "givenUpTo": webhook.cursor,
        "failingSince": rfc3339_or_none(webhook.failing_since),
        "createdAt": rfc3339_or_none(webhook.created_at),
    }


def shown_delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "deliveryId": delivery.id,
        "seq": delivery.seq,
        "type": delivery.name,
        "kind": delivery.kind,
        "callId": delivery.call_id,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "lastStatus": delivery.last_status,
        "lastError": delivery.last_error,
        "createdAt": rfc3339_or_none(delivery.created_at),
        "nextAttemptAt": rfc3339_or_none(delivery.next_at),
        "doneAt": rfc3339_or_none(delivery.done_at),
    }


def shown_attempt(attempt: Attempt) -> dict[str, Any]:
    """An attempt's keys; durations in milliseconds."""
    return {
        "at": rfc3339_or_none(attempt.at),
        "address": attempt.address,
        "status": attempt.status,
        "error": attempt.error,
        "resolveMs": attempt.resolve_ms,
        "connectMs": attempt.connect_ms,
        "tlsMs": attempt.tls_ms,
        "firstByteMs": attempt.first_byte_ms,
        "totalMs": attempt.total_ms,
        "answer": attempt.answer.decode(errors="replace"),
    }

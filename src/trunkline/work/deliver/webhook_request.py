"""The body that is posted to an endpoint: the event's envelope, made from the log each time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trunkline.delivery.webhook import GAP, TEST, Delivery, Webhook
from trunkline.events.envelope import envelope
from trunkline.events.stored import StoredEvent
from trunkline.store.ports.database import Events

_encode = msgspec.json.Encoder().encode


async def body_of(events: Events, delivery: Delivery) -> bytes | None:
    """The delivery's body, the same bytes each time; None where its event is kept no more."""
    if delivery.kind == "test":
        return test_body(delivery.account_id, delivery.webhook_id, delivery.created_at)
    if delivery.gap_from is not None:
        return _gap_body(delivery, delivery.gap_from)
    found: Sequence[StoredEvent] = await events.after(delivery.account_id, delivery.seq - 1, 1)
    return envelope(found[0]) if found and found[0].seq == delivery.seq else None


def test_body(account_id: str, webhook_id: str, at: int) -> bytes:
    """A sample: an event of the right shape that stands in no log."""
    said = {"webhook_id": webhook_id, "message": "A test: nothing has happened."}
    return envelope(
        StoredEvent(account_id, 0, "webhook", TEST, webhook_id, None, at, _encode(said))
    )


def _gap_body(delivery: Delivery, first: int) -> bytes:
    said = {"from": first, "to": delivery.seq}
    return envelope(
        StoredEvent(
            delivery.account_id,
            delivery.seq,
            "account",
            GAP,
            "",
            None,
            delivery.created_at,
            _encode(said),
        )
    )


def named(webhook: Webhook) -> dict[str, str]:
    """How a log line names an endpoint: never by its URL, which may hold a token."""
    return {"webhook_id": webhook.id, "account_id": webhook.account_id}

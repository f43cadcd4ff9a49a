"""One example of every event: recorded ones, as they were stored.

They are made by ``tests/api/make_event_examples.py``, which a test holds against the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec

from trunkline.events.bindings import escaped
from trunkline.events.envelope import envelope, snaked
from trunkline.events.stored import StoredEvent


class _Kept(msgspec.Struct):
    account_id: str
    seq: int
    category: str
    name: str
    subject: str
    call_id: str | None
    at: int
    body: dict[str, Any]


def examples() -> Mapping[str, StoredEvent]:
    """Every event's name, and an event of that name."""
    raw = (files("trunkline.api.docs") / "event_examples.json").read_bytes()
    kept = msgspec.json.decode(raw, type=dict[str, _Kept])
    return {name: _stored(one) for name, one in kept.items()}


def as_payload(event: StoredEvent) -> Any:
    """What Socket.IO hands to the listener."""
    return msgspec.json.decode(event.body)


def as_envelope(event: StoredEvent) -> Any:
    """What SSE, webhooks and ``GET /v1/events`` give."""
    return msgspec.json.decode(envelope(event))


def as_frame(event: StoredEvent) -> Any:
    """What the raw WebSocket gives to who subscribed to all events of this name."""
    binding = (event.category, event.name, "*")
    routed = (event.category, event.account_id, event.name, escaped(event.subject))
    return {
        "action": "event",
        "subscribed_key": ".".join(binding),
        "subscription_key": ".".join((event.category, event.account_id, *binding[1:])),
        "name": event.name,
        "routing_key": ".".join(routed),
        "data": msgspec.json.decode(snaked(event.body)),
    }


def _stored(one: _Kept) -> StoredEvent:
    said = msgspec.structs.asdict(one)
    return StoredEvent(**said | {"body": msgspec.json.encode(one.body)})

"""Webhooks as values: an endpoint, what it is to get, and what came of an attempt.

An endpoint gets the events of one call one after the other, in the order of their numbers: they share a
lane. So do events of no call that have the same subject. Times are unix microseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from trunkline.calls.words import DeliveryStatus, WebhookStatus
from trunkline.events.stored import StoredEvent

WebhookState = WebhookStatus
"""``disabled`` by hand or by a 410, ``suspended`` because it has failed for long."""
DeliveryState = DeliveryStatus
DeliveryKind = Literal["event", "gap", "replay", "test"]

TEST = "WEBHOOK_TEST"
GAP = "GAP"
GAP_LANE = "account:GAP"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint of an account. Its secrets are read separately."""

    id: str
    account_id: str
    url: str
    description: str
    events: tuple[str, ...]
    """Bindings (``events.bindings``); an empty tuple takes every event."""
    state: WebhookState
    reason: str
    """Why it is not enabled, for people."""
    cursor: int
    """The number of the last event that was matched against its bindings."""
    previous_until: int | None
    """Until then the secret before the last rotation signs, too."""
    failing_since: int | None
    """When the first attempt failed after its last success; None: the last attempt succeeded."""
    failures: int
    """Failed attempts in a row."""
    not_before: int
    """It gets nothing before this."""
    created_at: int
    changed_at: int


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is to get, before it is a delivery with an id."""

    seq: int
    lane: str
    name: str
    kind: DeliveryKind
    call_id: str | None = None
    gap_from: int | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint, and how far it has come."""

    id: int
    webhook_id: str
    account_id: str
    seq: int
    gap_from: int | None
    lane: str
    call_id: str | None
    name: str
    kind: DeliveryKind
    state: DeliveryState
    attempts: int
    step: int
    """How many of the schedule's pauses are used up."""
    first_at: int | None
    """When the first attempt was made."""
    next_at: int | None
    """When the next attempt is due; None when it is done, or waits for another one of its lane."""
    created_at: int
    done_at: int | None
    last_status: int | None
    last_error: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to an endpoint, and what came back. Durations are milliseconds.

    A part that the request did not come to is None. ``error`` is empty exactly when a status came back.
    """

    at: int
    resolve_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    """From the end of the request to the status."""
    total_ms: float = 0.0
    address: str = ""
    status: int | None = None
    error: str = ""
    answer: bytes = b""
    """The beginning of the answer's body."""
    retry_after: str = ""
    """The header as it came; not stored."""

    @property
    def success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def ended_at(self) -> int:
        return self.at + round(self.total_ms * 1000)


def lane(event: StoredEvent) -> str:
    return event.call_id or f"{event.category}:{event.subject}"


def outgoing(event: StoredEvent, kind: DeliveryKind = "event") -> Outgoing:
    return Outgoing(
        seq=event.seq, lane=lane(event), name=event.name, kind=kind, call_id=event.call_id
    )


def outgoing_gap(first: int, last: int) -> Outgoing:
    return Outgoing(seq=last, lane=GAP_LANE, name=GAP, kind="gap", gap_from=first)


def outgoing_test(mark: str) -> Outgoing:
    """A sample; ``mark`` is unique to it."""
    return Outgoing(seq=0, lane=f"test:{mark}", name=TEST, kind="test")


def message_id(account_id: str, sent: Outgoing | Delivery) -> str:
    """``webhook-id``: the same for every attempt and replay of an event, at every endpoint."""
    if sent.kind == "test":
        return f"test_{sent.lane.removeprefix('test:')}"
    if sent.gap_from is not None:
        return f"gap_{account_id}_{sent.gap_from}_{sent.seq}"
    return f"evt_{account_id}_{sent.seq}"

"""Webhooks as values: an endpoint, what it is to get, and what came of an attempt.

Events of one call go to an endpoint one after the other, in the order of their numbers: they share a
lane, and so do events of no call that have the same subject. Times are unix microseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from trunkline.calls.words import DeliveryStatus, WebhookStatus
from trunkline.events.stored import StoredEvent

WebhookState = WebhookStatus
"""``disabled`` by hand or by a 410, ``suspended`` since it did not answer for long."""
DeliveryState = DeliveryStatus
DeliveryKind = Literal["event", "gap", "replay", "test"]

TEST = "WEBHOOK_TEST"
GAP = "GAP"
GAP_LANE = "account:GAP"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint of an account. Its secrets are asked for by themselves."""

    id: str
    account_id: str
    url: str
    description: str
    events: tuple[str, ...]
    """Bindings (``calls.bindings``); none takes every event."""
    state: WebhookState
    reason: str
    """Why it is not enabled, for people."""
    cursor: int
    """The number of the last event that was examined for it."""
    previous_until: int | None
    """Until when the secret before the last rotation signs too."""
    failing_since: int | None
    """When the first attempt failed since it last answered with success; None: it answers."""
    failures: int
    """Failed attempts in a row."""
    not_before: int
    """It is sent nothing before this."""
    created_at: int
    changed_at: int


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is to get, before it is a delivery."""

    seq: int
    lane: str
    name: str
    kind: DeliveryKind
    call_id: str | None = None
    gap_from: int | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint, and how far that is."""

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
    """The first attempt."""
    next_at: int | None
    """The next attempt; None when it is done, or waits for another one of its lane."""
    created_at: int
    done_at: int | None
    last_status: int | None
    last_error: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to an endpoint, and what came back. Durations are milliseconds from ``at``'s on.

    A part that it did not come to is None. ``error`` is empty exactly when a status came back.
    """

    at: int
    resolve_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    """From the request's end to the status."""
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
        """Any 2xx (Standard Webhooks)."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def ended_at(self) -> int:
        """When it was over."""
        return self.at + round(self.total_ms * 1000)


def lane(event: StoredEvent) -> str:
    """The lane of an event: its call, or what it is about."""
    return event.call_id or f"{event.category}:{event.subject}"


def outgoing(event: StoredEvent, kind: DeliveryKind = "event") -> Outgoing:
    """The event on its way to an endpoint."""
    return Outgoing(
        seq=event.seq, lane=lane(event), name=event.name, kind=kind, call_id=event.call_id
    )


def outgoing_gap(first: int, last: int) -> Outgoing:
    """The news that these numbers are not kept any more."""
    return Outgoing(seq=last, lane=GAP_LANE, name=GAP, kind="gap", gap_from=first)


def outgoing_test(mark: str) -> Outgoing:
    """A sample, under a mark that no other one has."""
    return Outgoing(seq=0, lane=f"test:{mark}", name=TEST, kind="test")


def message_id(account_id: str, sent: Outgoing | Delivery) -> str:
    """``webhook-id``: the same for every attempt and replay of an event, at every endpoint."""
    if sent.kind == "test":
        return f"test_{sent.lane.removeprefix('test:')}"
    if sent.gap_from is not None:
        return f"gap_{account_id}_{sent.gap_from}_{sent.seq}"
    return f"evt_{account_id}_{sent.seq}"

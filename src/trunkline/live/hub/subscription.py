"""One binding on a connection, and how far its events have been handed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trunkline.events.bindings import Binding, RoutingKey
from trunkline.live.hub.wire import Wire


class AccountFeed(Protocol):
    """A connection's feed, as the account that it is of sees it."""

    def take(self, subscription: Subscription, wire: Wire) -> None:
        """Hand on a live event."""

    def taken(self) -> None:
        """An event has been handed to all who get it."""

    def write_failed(self) -> None:
        """An event could not be written: the connection is to close."""


@dataclass(eq=False, slots=True)
class Subscription:
    """A binding on a connection; of its matches, those in (start, last] have been handed out.

    Of a fast feed ``last`` is out of date: it has had all that its account has handed out.
    ``until`` is set on a replay of what came before a binding that the connection already had.
    """

    feed: AccountFeed
    binding: Binding
    app_id: str
    start: int
    last: int
    until: int | None = None

    @property
    def is_done(self) -> bool:
        return self.until is not None and self.last >= self.until

    def wants(self, seq: int, key: RoutingKey) -> bool:
        """Is this the subscription's next event, and does it match?"""
        due = self.last < seq and (self.until is None or seq <= self.until)
        return due and self.binding.matches(key)

    def had(self, seq: int, key: RoutingKey) -> bool:
        return self.start < seq <= self.last and self.binding.matches(key)

    def examined(self, seq: int) -> None:
        """All up to ``seq`` has been looked at."""
        self.last = max(self.last, seq if self.until is None else min(seq, self.until))

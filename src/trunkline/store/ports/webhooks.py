"""What may be asked of a database about webhooks (``Database.webhooks`` and ``.deliveries``).

Deliveries of one lane go out one after the other: only the first pending one of a lane has a
``next_at``, and whatever ends it gives the next one its turn in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from trunkline.delivery.verdict import Verdict
from trunkline.delivery.webhook import Attempt, Delivery, DeliveryState, Outgoing, Webhook
from trunkline.events.stored import Announcement, StoredEvent


class WebhookToAdd(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint to be added. ``secret`` is plain: never log it."""

    id: str
    account_id: str
    url: str
    description: str
    events: tuple[str, ...]
    secret: str
    after: int | None
    """The number that it starts after; None for the newest one."""
    now: int

    def __repr__(self) -> str:
        return f"NewWebhook(id={self.id!r}, account_id={self.account_id!r})"


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are asked for; None stands for all."""

    state: DeliveryState | None = None
    call_id: str | None = None
    seq_from: int = 0
    seq_to: int = 1 << 62


class Backlog(msgspec.Struct, frozen=True):
    """What enabled endpoints still have to get."""

    pending: int
    """Deliveries; counted up to 100,000."""
    oldest: int | None
    """When the oldest of them came to be."""
    stopped: int
    """Endpoints that are suspended, or that a 410 disabled."""


class Concluded(msgspec.Struct, frozen=True):
    """What an attempt led to."""

    verdict: Verdict
    event: StoredEvent | None
    """WEBHOOK_SUSPENDED or WEBHOOK_DISABLED, if the endpoint was stopped now."""


Decide = Callable[[Webhook, Delivery], Verdict]
Announce = Callable[[Webhook, Verdict, int], Announcement]
"""(the endpoint, why it is stopped, the number of the last event that it took) -> the event."""


class Webhooks(Protocol):
    """The endpoints."""

    async def get(self, webhook_id: str, account_id: str | None = None) -> Webhook | None:
        """The endpoint, if it is the account's (or of any account)."""

    async def listed(
        self, account_id: str | None, after: tuple[int, str], limit: int
    ) -> list[Webhook]:
        """At most ``limit`` endpoints, oldest first, that follow (created_at, id)."""

    async def active(self, account_id: str) -> list[Webhook]:
        """The enabled endpoints of the account, if that is enabled."""

    async def active_accounts(self) -> set[str]:
        """Enabled accounts with enabled endpoints."""

    async def secrets(self, webhook_id: str, now: int) -> tuple[str, ...]:
        """The secrets that sign now, newest first; none for no endpoint."""

    async def add(self, new: WebhookToAdd, most: int) -> Webhook | None:
        """Add an endpoint; the same id again gives what is there. None if there are ``most``."""

    async def change(
        self,
        webhook_id: str,
        now: int,
        *,
        url: str | None = None,
        description: str | None = None,
        events: tuple[str, ...] | None = None,
    ) -> Webhook | None:
        """Change what is given."""

    async def rotate(self, webhook_id: str, secret: str, now: int, until: int) -> Webhook | None:
        """A new secret; the one until now signs too, until ``until``. The same again is nothing."""

    async def enable(self, webhook_id: str, now: int) -> Webhook | None:
        """Let it have what waits for it, at once and with a fresh schedule."""

    async def disable(self, webhook_id: str, reason: str, now: int) -> Webhook | None:
        """It is sent nothing until it is enabled; what comes meanwhile is kept for it."""

    async def delete(self, webhook_id: str) -> bool:
        """Forget it and its deliveries; False if there was none, or a hold keeps them."""


class Deliveries(Protocol):
    """What endpoints are to get, and what came of it."""

    async def examined(
        self, webhook_id: str, cursor: int, upto: int, wanted: Sequence[Outgoing], now: int
    ) -> bool:
        """Store deliveries and move the cursor from ``cursor`` to ``upto``, in one transaction.

        False, and nothing done, where the cursor stands elsewhere or the endpoint is not enabled.
        """

    async def queue(self, webhook_id: str, wanted: Sequence[Outgoing], now: int) -> int:
        """Store deliveries; gives how many (none for no endpoint)."""

    async def lost(self, webhook_id: str, oldest: int, now: int) -> bool:
        """Give up what is pending of events before number ``oldest``; one GAP goes out instead.

        False where there is nothing of that kind.
        """

    async def retry(self, delivery_id: int, now: int) -> bool:
        """Try a pending delivery again as soon as it is its turn; False if it is not pending."""

    async def crowded(self, webhook_id: str, most: int) -> bool:
        """Has the endpoint more than ``most`` pending deliveries?"""

    async def due(self, webhook_id: str, now: int, limit: int) -> list[Delivery]:
        """Deliveries that may go out now, the longest due first."""

    async def next_at(self, webhook_id: str, after: int) -> int | None:
        """When the next delivery is due that is not due at ``after``."""

    async def concluded(
        self, delivery_id: int, attempt: Attempt, decide: Decide, announce: Announce
    ) -> Concluded | None:
        """Store an attempt with all that follows from it, in one transaction.

        ``decide`` and ``announce`` are pure and may be called in any thread, with what stood in the
        database before the attempt. None where the delivery is pending no more, or gone.
        """

    async def tested(
        self, webhook_id: str, sent: Outgoing, attempt: Attempt, now: int
    ) -> Delivery | None:
        """Store a test made at ``now`` with its one attempt; nothing else follows. None for no endpoint."""

    async def delivery(self, webhook_id: str, delivery_id: int) -> Delivery | None:
        """A delivery of the endpoint."""

    async def deliveries(
        self, webhook_id: str, wanted: DeliveryFilter, before: int, limit: int
    ) -> list[Delivery]:
        """At most ``limit`` deliveries with ids under ``before``, newest first."""

    async def attempts(self, delivery_id: int) -> list[Attempt]:
        """The attempts at a delivery, in order."""

    async def backlog(self) -> Backlog:
        """How much is still to be delivered."""

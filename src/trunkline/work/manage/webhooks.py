"""Manage webhooks: add, change, rotate, switch and delete endpoints, and send them events again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from trunkline.delivery.webhook import GAP_LANE, Delivery, Outgoing, Webhook, outgoing
from trunkline.store.ports.database import Database
from trunkline.store.ports.webhooks import WebhookToAdd
from trunkline.webhooks.port import UrlRefused
from trunkline.webhooks.sign import secret_for
from trunkline.work.deliver.examine_events import CHUNK, wants
from trunkline.work.manage import webhook_rules as rules
from trunkline.work.refused import Refused

MOST = 20  # endpoints of an account
MOST_REPLAYED = 100_000
"""Numbers that one replay may span, and deliveries that may be pending before it."""
_LATER = 60
"""Seconds after which a replay that is refused may be asked for again."""
OVERLAP = 24 * 3600 * 1_000_000
"""For so many microseconds the secret before a rotation signs, too."""


class Check(Protocol):
    async def __call__(self, url: str) -> None:
        """Raises UrlRefused."""


class ReplayRange(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to send again: from a number or a time (unix microseconds), up to a number."""

    first: int | None = None
    since: int | None = None
    last: int | None = None


class ManageWebhooks:
    """The verb. Every method raises Refused: NOT_FOUND, and what it says itself.

    ``secret_key`` (32 bytes of the installation's own) is what secrets are derived from. ``changed``
    is called after each change, so that a running deliverer learns of it.
    """

    def __init__(
        self,
        db: Database,
        check: Check,
        secret_key: bytes,
        clock: Callable[[], int],
        changed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._db, self._check, self._clock = db, check, clock
        self._secret_key = secret_key
        self._on_change = changed
        self._replaying: set[str] = set()

    async def find(self, webhook_id: str, account_id: str | None = None) -> Webhook:
        """The endpoint, if it belongs to the account (None: to any)."""
        return _found(await self._db.webhooks.get(webhook_id, account_id))

    async def create(
        self,
        account_id: str,
        webhook_id: str,
        url: str,
        description: str = "",
        events: tuple[str, ...] = (),
        after: int | None = None,
    ) -> tuple[Webhook, str]:
        """Add an endpoint under an id that the caller made; returns it and its secret.

        It gets what comes from now on, or what follows number ``after``. The same id again returns the
        endpoint that there is already. Raises Refused WEBHOOK_URL_REFUSED, WEBHOOK_INVALID
        and WEBHOOK_LIMIT.
        """
        await self._check_url(url)
        await self._check_after(account_id, after)
        new = WebhookToAdd(
            id=webhook_id,
            account_id=account_id,
            url=url,
            description=rules.description(description),
            events=rules.bindings(events),
            secret=secret_for(webhook_id, self._secret_key),
            after=after,
            now=self._clock(),
        )
        webhook = await self._db.webhooks.add(new, MOST)
        if webhook is None:
            raise Refused("WEBHOOK_LIMIT", f"An account has at most {MOST} endpoints.")
        await self._changed()
        return webhook, new.secret

    async def change(
        self,
        webhook: Webhook,
        *,
        url: str | None = None,
        description: str | None = None,
        events: tuple[str, ...] | None = None,
    ) -> Webhook:
        """Change what is given. Pending deliveries go to the new URL; filters count from now on."""
        if url is not None:
            await self._check_url(url)
        changed = await self._db.webhooks.change(
            webhook.id,
            self._clock(),
            url=url,
            description=None if description is None else rules.description(description),
            events=None if events is None else rules.bindings(events),
        )
        return await self._done(changed)

    async def rotate(self, webhook: Webhook, mark: str) -> tuple[Webhook, str]:
        """A new secret; the old one signs, too, for 24 hours. The same ``mark`` again changes nothing."""
        now = self._clock()
        secret = secret_for(f"{webhook.id}:{mark}", self._secret_key)
        rotated = await self._db.webhooks.rotate(webhook.id, secret, now, now + OVERLAP)
        return await self._done(rotated), secret

    async def enable(self, webhook: Webhook) -> Webhook:
        """Send it what came since it was stopped, as far as that is kept."""
        return await self._done(await self._db.webhooks.enable(webhook.id, self._clock()))

    async def disable(self, webhook: Webhook) -> Webhook:
        """Send it nothing until it is enabled again."""
        return await self._done(await self._db.webhooks.disable(webhook.id, "", self._clock()))

    async def delete(self, webhook: Webhook) -> None:
        """Delete it and its deliveries. Raises Refused WEBHOOK_HELD where a legal hold keeps those."""
        gone = await self._db.webhooks.delete(webhook.id)
        if not gone and await self._db.webhooks.get(webhook.id):
            raise Refused(
                "WEBHOOK_HELD", "A legal hold keeps its deliveries: it can be disabled meanwhile."
            )
        await self._changed()

    async def delivery(self, webhook: Webhook, delivery_id: int) -> Delivery:
        delivery = await self._db.deliveries.delivery(webhook.id, delivery_id)
        if delivery is None:
            raise Refused("NOT_FOUND", "The webhook has no such delivery.")
        return delivery

    async def replay_one(self, webhook: Webhook, delivery_id: int) -> None:
        """Send a delivery once more; one that is pending is tried as soon as it is its turn.

        Raises Refused EVENT_GONE where the event is kept no more.
        """
        delivery = await self.delivery(webhook, delivery_id)
        if delivery.kind == "test":
            raise Refused("EVENT_GONE", "A test is not sent again: test the webhook anew.")
        if not await self._db.deliveries.retry(delivery.id, self._clock()):
            await self._refuse_crowded(webhook)
            await self._db.deliveries.queue(
                webhook.id, [await self._again(delivery)], self._clock()
            )
        await self._changed()

    async def replay(self, webhook: Webhook, span: ReplayRange) -> int:
        """Send the events of the range again that its filters match, in order; returns how many.

        Events that it has not had yet are left out: they are on their way. Raises Refused RANGE_INVALID, and RATE_LIMITED while
        so many are pending that another replay would only fill the disk.
        """
        if webhook.id in self._replaying:
            raise Refused("RATE_LIMITED", "A replay to this endpoint is under way.", _LATER)
        self._replaying.add(webhook.id)
        try:
            await self._refuse_crowded(webhook)
            return await self._replayed(webhook, span)
        finally:
            self._replaying.discard(webhook.id)

    async def _refuse_crowded(self, webhook: Webhook) -> None:
        if await self._db.deliveries.crowded(webhook.id, MOST_REPLAYED):
            detail = f"The endpoint has over {MOST_REPLAYED:,} deliveries pending."
            raise Refused("RATE_LIMITED", detail, _LATER)

    async def _replayed(self, webhook: Webhook, span: ReplayRange) -> int:
        first, last = await self._bounds(webhook, span)
        queued = 0
        while first <= last:
            events = await self._db.events.after(webhook.account_id, first - 1, CHUNK)
            again = [
                outgoing(event, "replay")
                for event in events
                if event.seq <= last and wants(webhook.events, event)
            ]
            queued += await self._db.deliveries.queue(webhook.id, again, self._clock())
            first = events[-1].seq + 1 if events else last + 1
        await self._changed()
        return queued

    async def _bounds(self, webhook: Webhook, span: ReplayRange) -> tuple[int, int]:
        oldest, _ = await self._db.events.bounds(webhook.account_id)
        if span.first is None and span.since is None:
            raise Refused("RANGE_INVALID", "Say from which number or from what time on.")
        first = max(oldest, span.first or 0)
        if span.since is not None:
            first = max(first, await self._first_since(webhook.account_id, span.since))
        last = webhook.cursor if span.last is None else min(span.last, webhook.cursor)
        if last - first >= MOST_REPLAYED:
            raise Refused("RANGE_INVALID", f"A replay spans at most {MOST_REPLAYED:,} numbers.")
        return first, last

    async def _first_since(self, account_id: str, at: int) -> int:
        """The first number at or after a time, by bisection: times nearly always grow with numbers."""
        low, high = await self._db.events.bounds(account_id)
        high += 1
        while low < high:
            middle = (low + high) // 2
            found = await self._db.events.after(account_id, middle - 1, 1)
            if found and found[0].at < at:
                low = found[0].seq + 1
            else:
                high = middle
        return low

    async def _again(self, delivery: Delivery) -> Outgoing:
        found = await self._db.events.after(delivery.account_id, delivery.seq - 1, 1)
        if delivery.lane == GAP_LANE:
            return Outgoing(
                seq=delivery.seq,
                lane=GAP_LANE,
                name=delivery.name,
                kind="gap",
                gap_from=delivery.gap_from,
            )
        if not found or found[0].seq != delivery.seq:
            raise Refused("EVENT_GONE", f"Event {delivery.seq} is not kept any more.")
        return outgoing(found[0], "replay")

    async def _check_url(self, url: str) -> None:
        try:
            await self._check(url)
        except UrlRefused as error:
            raise Refused("WEBHOOK_URL_REFUSED", f"The URL cannot be used: {error}.") from error

    async def _check_after(self, account_id: str, after: int | None) -> None:
        _, newest = await self._db.events.bounds(account_id)
        if after is not None and not 0 <= after <= newest:
            raise Refused("WEBHOOK_INVALID", f"after is a number from 0 to {newest}, the newest.")

    async def _changed(self) -> None:
        if self._on_change is not None:
            await self._on_change()

    async def _done(self, webhook: Webhook | None) -> Webhook:
        await self._changed()
        return _found(webhook)


def _found(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise Refused("NOT_FOUND", "There is no such webhook.")
    return webhook

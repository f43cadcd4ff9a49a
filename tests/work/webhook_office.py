"""An account with endpoints on a real database, and a deliverer that works on it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from at_once import at_once
from db.making import KEY, office
from trunkline.bus.local import LocalBus
from trunkline.delivery.verdict import RetryPolicy
from trunkline.delivery.webhook import Delivery, Webhook
from trunkline.events.message_ids import MessageIds
from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.ports.webhooks import DeliveryFilter
from trunkline.store.sqlite import open_database
from trunkline.webhooks.addresses import Addresses
from trunkline.webhooks.post import HttpPost
from trunkline.work.deliver.deliver_webhooks import DeliverWebhooks, DeliveryLimits
from trunkline.work.manage.manage_webhooks import ManageWebhooks

QUICK = RetryPolicy(pauses=(0.05,) * 9, suspend_after=3600)
LOOPBACK = Addresses(["127.0.0.0/8"])


def now() -> int:
    return time.time_ns() // 1000


async def until(probe: Callable[[], object], what: str = "it", timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < deadline, f"{what} did not happen"
        await asyncio.sleep(0.01)


def said(
    account_id: str, call: str, n: int = 0, name: str = "CHANNEL_CREATE", at: int | None = None
) -> Announcement:
    """An event of a call; of no call if that is empty."""
    if not call:
        body: Any = {"Event-Category": "device_event", "Event-Name": "DEVICE_ONLINE", "n": n}
        return Announcement(account_id, "device", "DEVICE_ONLINE", f"d{n}", at or now(), body)
    body = {"Event-Category": "call_event", "Event-Name": name, "Call-ID": f"{call}.leg", "n": n}
    return Announcement(account_id, "call", name, f"{call}.leg", at or now(), body, call_id=call)


class WebhookOffice:
    """One account; ``self.made`` is what the verb has made."""

    def __init__(self, path: Path, name: str = "acme", **kept: int) -> None:
        self.path = path
        self.account_id = office(path, name, f"{name}-phone")[0].account_id
        self.open(**kept)

    def open(self, **kept: int) -> None:
        self.db = open_database(self.path, KEY, **kept)
        self.bus = LocalBus()
        self.published: list[StoredEvent] = []
        self.bus.listen(self.published.extend)
        self.post = HttpPost(LOOPBACK, now, timeout=1.0)
        self.deliver = self.deliverer()
        self.manage = ManageWebhooks(
            self.db,
            self.post.check,
            KEY.derive("webhook secrets"),
            now,
            lambda: self.deliver.refresh(),
        )

    def deliverer(self, rules: RetryPolicy = QUICK, **limits: int) -> DeliverWebhooks:
        self.deliver = DeliverWebhooks(
            self.db, self.bus, self.post, now, MessageIds(now), rules, DeliveryLimits(**limits)
        )
        return self.deliver

    async def webhook(self, url: str, *events: str, **more: Any) -> tuple[Webhook, str]:
        return await self.manage.create(
            more.pop("account_id", self.account_id),
            secrets.token_hex(16),
            url,
            events=events,
            **more,
        )

    async def say(self, *announcements: Announcement) -> list[StoredEvent]:
        """Commit, and publish, as the server does."""
        events = await self.db.events.append(announcements)
        self.bus.publish(events)
        return events

    async def calls(self, n: int, calls: int = 1) -> None:
        """``n`` events, spread over some calls."""
        await self.say(*(said(self.account_id, f"c{i % calls}", i) for i in range(n)))

    async def deliveries(self, webhook: Webhook, **wanted: Any) -> list[Delivery]:
        """Oldest first."""
        found = await self.db.deliveries.deliveries(
            webhook.id, DeliveryFilter(**wanted), 1 << 62, 10_000
        )
        return found[::-1]

    async def states(self, webhook: Webhook) -> set[str]:
        return {each.state for each in await self.deliveries(webhook)}

    def state(self, webhook: Webhook) -> str:
        found = at_once(self.db.webhooks.get(webhook.id))
        assert found is not None
        return found.state

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.deliver.run())
        await asyncio.sleep(0)
        try:
            yield
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def backlog(self) -> int:
        return at_once(self.db.deliveries.backlog()).pending

    def through(self) -> bool:
        """Has every enabled endpoint had all that there is?"""
        newest = at_once(self.db.events.bounds(self.account_id))[1]
        webhooks = at_once(self.db.webhooks.active(self.account_id))
        return self.backlog() == 0 and all(each.cursor == newest for each in webhooks)

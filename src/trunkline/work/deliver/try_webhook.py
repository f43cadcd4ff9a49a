"""Try a webhook: send one signed sample at once, and keep what came back."""

from __future__ import annotations

from collections.abc import Callable

from trunkline.delivery.webhook import Delivery, Webhook, message_id, outgoing_test
from trunkline.store.ports.database import Database
from trunkline.webhooks.port import Post
from trunkline.webhooks.sign import signed_headers
from trunkline.work.deliver.webhook_request import test_body
from trunkline.work.refused import Refused

MOST = 16
"""Tests at a time, of all endpoints: each has a connection, beside those of deliveries."""


class TryWebhook:
    """The verb. An endpoint that is not enabled can be tried, too; its state does not change."""

    def __init__(self, db: Database, post: Post, clock: Callable[[], int]) -> None:
        self._db, self._post, self._clock = db, post, clock
        self._trying: set[str] = set()

    async def __call__(self, webhook: Webhook, mark: str) -> Delivery:
        """Send the sample, and store the result as a delivery with one attempt.

        ``mark`` is an id that the caller made. Raises Refused NOT_FOUND, and RATE_LIMITED while a test of the endpoint, or many of
        others, are under way: a receiver that is slow would have all our sockets, and one that is nobody's friend all our requests.
        """
        if webhook.id in self._trying or len(self._trying) >= MOST:
            raise Refused("RATE_LIMITED", "Other tests are under way: one at a time.", 1)
        self._trying.add(webhook.id)
        try:
            return await self._tried(webhook, mark)
        finally:
            self._trying.discard(webhook.id)

    async def _tried(self, webhook: Webhook, mark: str) -> Delivery:
        now = self._clock()
        sent = outgoing_test(mark)
        body = test_body(webhook.account_id, webhook.id, now)
        secrets = await self._db.webhooks.secrets(webhook.id, now)
        if not secrets:
            raise _gone()
        headers = signed_headers(message_id(webhook.account_id, sent), now, body, secrets)
        attempt = await self._post(webhook.url, headers, body)
        stored = await self._db.deliveries.tested(webhook.id, sent, attempt, now)
        if stored is None:
            raise _gone()
        return stored


def _gone() -> Refused:
    return Refused("NOT_FOUND", "There is no such webhook.")

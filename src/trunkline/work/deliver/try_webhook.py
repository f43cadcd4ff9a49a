"""Try a webhook: send one signed sample at once, and keep what came back."""

from __future__ import annotations

from collections.abc import Callable

from trunkline.delivery.webhook import Delivery, Webhook, message_id, outgoing_test
from trunkline.store.ports.database import Database
from trunkline.webhooks.port import Post
from trunkline.webhooks.sign import signed_headers
from trunkline.work.deliver.webhook_request import test_body
from trunkline.work.refused import Refused


class TryWebhook:
    """The verb. An endpoint that is not enabled can be tried, too; its state does not change."""

    def __init__(self, db: Database, post: Post, clock: Callable[[], int]) -> None:
        self._db, self._post, self._clock = db, post, clock

    async def __call__(self, webhook: Webhook, mark: str) -> Delivery:
        """Send the sample, and store the result as a delivery with one attempt.

        ``mark`` is an id that the caller made. Raises Refused NOT_FOUND.
        """
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

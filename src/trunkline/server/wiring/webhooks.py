"""Joins the parts of the webhooks, for the server and for commands."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from trunkline.bus.port import Bus
from trunkline.delivery.verdict import RetryPolicy
from trunkline.events.message_ids import MessageIds
from trunkline.server.setting_forms import networks, pauses
from trunkline.server.settings import Settings
from trunkline.store.ports.database import Database
from trunkline.store.secrets import InstallationKey
from trunkline.webhooks.addresses import Addresses
from trunkline.webhooks.port import Post
from trunkline.webhooks.post import HttpPost
from trunkline.webhooks.target import parse
from trunkline.work.deliver.deliver_webhooks import DeliverWebhooks, DeliveryLimits
from trunkline.work.deliver.try_webhook import TryWebhook
from trunkline.work.manage.manage_webhooks import ManageWebhooks

_DAY = 86_400.0

SECRETS = "webhook secrets"
"""The purpose under which the installation's key gives webhook secrets (``InstallationKey.derive``)."""


class Webhooks:
    """A server's webhooks: ``deliver`` runs in the background, its doors use ``manage`` and ``try_one``."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        bus: Bus,
        key: InstallationKey,
        clock: Callable[[], int],
        message_ids: MessageIds,
    ) -> None:
        poster = post(settings, clock)
        self.deliver = DeliverWebhooks(
            db, bus, poster, clock, message_ids, retry_policy(settings), delivery_limits(settings)
        )
        self.manage = ManageWebhooks(
            db, poster.check, key.derive(SECRETS), clock, self.deliver.refresh
        )
        self.try_one = TryWebhook(db, poster, clock)


def post(settings: Settings, clock: Callable[[], int]) -> HttpPost:
    """The poster, which posts only to the addresses that the settings allow."""
    allowed = networks(settings.webhook_allow, "webhook_allow")
    return HttpPost(Addresses(allowed), clock, timeout=settings.webhook_timeout_seconds)


def retry_policy(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        pauses(settings.webhook_retry_seconds, "webhook_retry_seconds"),
        settings.webhook_suspend_days * _DAY,
    )


def delivery_limits(settings: Settings) -> DeliveryLimits:
    return DeliveryLimits(
        each=settings.webhook_endpoint_connections, all=settings.webhook_connections
    )


def post_anywhere(url: str, clock: Callable[[], int], verify: bool) -> Post:
    """What posts to the URL of whoever runs a command, so no address is out of bounds.

    Without ``verify`` any TLS certificate will do. Raises UrlRefused.
    """
    parse(url)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    everywhere = Addresses(("0.0.0.0/0", "::/0"))
    return HttpPost(everywhere, clock, timeout=30.0, tls=None if verify else trusting)

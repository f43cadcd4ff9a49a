"""The webhooks' parts as the settings want them, for the server and for commands."""

from __future__ import annotations

from collections.abc import Callable

from trunkline.calls.webhook_verdict import Rules
from trunkline.settings import Settings, networks, pauses
from trunkline.webhooks.addresses import Addresses
from trunkline.webhooks.post import HttpPost
from trunkline.work.deliver_webhooks import Limits

_DAY = 86_400.0

SECRETS = "webhook secrets"
"""What the installation's key is asked for (``Key.derive``) to make secrets from."""


def post(settings: Settings, clock: Callable[[], int]) -> HttpPost:
    """What posts, bound to the addresses that are allowed."""
    allowed = networks(settings.webhook_allow, "webhook_allow")
    return HttpPost(Addresses(allowed), clock, timeout=settings.webhook_timeout_seconds)


def rules(settings: Settings) -> Rules:
    """When it is tried again, and given up."""
    return Rules(
        pauses(settings.webhook_retry_seconds, "webhook_retry_seconds"),
        settings.webhook_suspend_days * _DAY,
    )


def limits(settings: Settings) -> Limits:
    """How many may be under way."""
    return Limits(each=settings.webhook_endpoint_connections, all=settings.webhook_connections)

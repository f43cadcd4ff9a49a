"""What may be asked of the poster of webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from trunkline.delivery.webhook import Attempt


class UrlRefused(Exception):
    """Nothing may be sent to the URL; the message says why, for whoever wrote it."""


class Post(Protocol):
    """Sends requests to endpoints, each on a connection of its own."""

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """POST the body. Never raises: the attempt's ``error`` says what went wrong."""

    async def check(self, url: str) -> None:
        """Raises UrlRefused where it is known already that nothing would ever be sent.

        A name that cannot be resolved now passes: each attempt resolves it anew.
        """

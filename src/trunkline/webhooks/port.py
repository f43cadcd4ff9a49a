"""What may be asked of whoever posts webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from trunkline.delivery.webhook import Attempt


class UrlRefused(Exception):
    """A URL that nothing may be sent to; the message says why, for whoever wrote it."""


class Post(Protocol):
    """Sends requests to endpoints, each on a connection of its own."""

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """POST the body; whatever goes wrong is in the attempt's ``error``. Never raises."""

    async def check(self, url: str) -> None:
        """Raises UrlRefused where it can be told now that nothing would ever be sent.

        A name that cannot be resolved now passes: each attempt resolves it anew.
        """

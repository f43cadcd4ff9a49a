"""The commands of one connection: its rate and its token are checked, then the hub does them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from trunkline.calls.times import SECOND
from trunkline.live.deps import LiveDeps
from trunkline.live.hub.app_checks import AppChecks
from trunkline.live.hub.hub import Client
from trunkline.live.hub.subscribe_request import (
    BadRequest,
    SubscriptionRequest,
    binding_texts,
    read,
)
from trunkline.live.hub.usage import TooManyCommands, TooManySubscriptions, Usage
from trunkline.store.ports.apps import TokenOwner

_TOKEN = re.compile(r"[0-9a-f]{32}")

TOO_MANY_WAIT = "too many requests wait for their answers"


class BadToken(Exception):
    """The token is missing, malformed, unknown or expired; the message never holds it."""

    def __init__(self, message: str = "invalid auth token") -> None:
        super().__init__(message)


class ClientCommands:
    """What a connection may ask for, counted under the apps whose tokens it has shown.

    ``name`` stands for the connection in errors. Call `close` at its end: it closes the client, too.
    """

    __slots__ = (
        *("_apps", "_checks", "_closed", "_count", "_deps", "_name", "_second", "_told", "_usage"),
        "revoked",
        "client",
    )

    def __init__(
        self,
        deps: LiveDeps,
        usage: Usage,
        checks: AppChecks,
        client: Client,
        name: str,
        told: Callable[[], None] = lambda: None,
        revoked: Callable[[], None] = lambda: None,
    ) -> None:
        """``told`` is called at the first token that is good, and may raise TooManyOfAddress; ``revoked`` when an app whose
        token was shown may do nothing any more: then close the connection.
        """
        self._checks, self.revoked = checks, revoked
        self._deps, self._usage, self._name, self._told = deps, usage, name, told
        self._apps: tuple[str, ...] = ()
        self._closed = False
        self._second = self._count = 0
        self.client = client

    @property
    def signed_in(self) -> bool:
        """Has it shown a token that was good?"""
        return bool(self._apps)

    def count(self) -> None:
        """Count a message, whatever it says; raises BadRequest when there are too many a second."""
        try:
            self._count_here()
            for app_id in self._apps:
                self._usage.command(app_id)
        except TooManyCommands as refused:
            raise BadRequest(str(refused)) from None

    async def subscribe(self, token: object, data: object) -> SubscriptionRequest:
        """Subscribe, and return what was granted.

        Raises BadToken, BadRequest, and TooManyConnections or TooManyOfAddress: then close the
        connection with 4029.
        """
        owner = await self._owner(token)
        request = read(data, self._deps.limits.subscriptions)
        if request.account_id != owner.account_id:
            raise BadRequest("unauthorized account id")
        try:
            await self.client.subscribe(
                owner.account_id, request.bindings, request.after, owner.app_id
            )
        except TooManySubscriptions as refused:
            raise BadRequest(str(refused)) from None
        return request

    def unsubscribe(self, data: object) -> list[str]:
        """End the bindings in ``data``, or all where it names none; returns those that there were."""
        texts = binding_texts(data if isinstance(data, dict) else {})
        named = frozenset(text for text in texts if isinstance(text, str))
        return self.client.unsubscribe(named if texts else None)

    def close(self) -> None:
        """End everything; doing it again does nothing."""
        self._closed = True
        self.client.close()
        for app_id in self._apps:
            self._usage.disconnect(app_id)
            self._checks.remove(app_id, self)
        self._apps = ()

    def _count_here(self) -> None:
        second = self._deps.clock() // SECOND
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > self._deps.limits.frames_per_second:
            raise TooManyCommands(self._name)

    async def _owner(self, token: object) -> TokenOwner:
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise BadToken
        digest = hashlib.sha256(token.encode()).hexdigest()
        owner = await self._deps.tokens.owner(digest, self._deps.clock())
        if owner is None:
            raise BadToken
        if self._closed:  # meanwhile: nobody would count it out again
            raise BadRequest("the connection is closed")
        if owner.app_id not in self._apps:
            self._usage.connect(owner.app_id)
            self._checks.add(owner.app_id, self)
            self._apps = (*self._apps, owner.app_id)
            if len(self._apps) == 1:
                self._told()
        return owner

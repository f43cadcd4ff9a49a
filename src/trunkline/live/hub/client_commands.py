"""What a client asks for, checked: the token, the account, the bindings, its app's limits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from trunkline.calls.times import SECOND
from trunkline.events.bindings import Binding, BindingInvalid, parse
from trunkline.live.deps import LiveDeps
from trunkline.live.hub.hub import Client
from trunkline.live.hub.usage import TooManyCommands, TooManySubscriptions, Usage
from trunkline.store.ports.database import TokenOwner

_TOKEN = re.compile(r"[0-9a-f]{32}")

TOO_MANY_WAIT = "too many requests wait for their answers"


class BadToken(Exception):
    """The token is missing, malformed, unknown or expired; the message never holds it."""

    def __init__(self, message: str = "invalid auth token") -> None:
        super().__init__(message)


class BadRequest(Exception):
    """The rest of the request cannot be granted; the message says why."""


class SubscriptionRequest(msgspec.Struct, frozen=True):
    """A well-formed subscribe."""

    account_id: str
    bindings: tuple[Binding, ...]
    after: int | None


class Asker:
    """Who asks on one connection: whose tokens it has shown, and how fast it asks.

    ``name`` stands for it in errors. Every Asker ends with `close`, which closes its client too.
    """

    __slots__ = ("_apps", "_closed", "_commands", "_deps", "_name", "_second", "_usage", "client")

    def __init__(self, deps: LiveDeps, usage: Usage, client: Client, name: str) -> None:
        self._deps, self._usage, self._name = deps, usage, name
        self._apps: tuple[str, ...] = ()
        self._closed = False
        self._second = self._commands = 0
        self.client = client

    def count(self) -> None:
        """Count a message, whatever it says; raises BadRequest when it is one too many."""
        try:
            self._count_here()
            for app_id in self._apps:
                self._usage.command(app_id)
        except TooManyCommands as refused:
            raise BadRequest(str(refused)) from None

    async def subscribe(self, token: object, data: object) -> SubscriptionRequest:
        """Grant a subscribe and say what was granted.

        Raises BadToken, BadRequest, and TooManyConnections, after which the connection has to be
        closed with 4029.
        """
        owner = await self._owner(token)
        wanted = read(data, self._deps.limits.subscriptions)
        if wanted.account_id != owner.account_id:
            raise BadRequest("unauthorized account id")
        try:
            await self.client.subscribe(
                owner.account_id, wanted.bindings, wanted.after, owner.app_id
            )
        except TooManySubscriptions as refused:
            raise BadRequest(str(refused)) from None
        return wanted

    def unsubscribe(self, data: object) -> list[str]:
        """End the bindings in ``data``, or all where it names none; gives those that there were."""
        texts = binding_texts(data if isinstance(data, dict) else {})
        return self.client.unsubscribe(texts or None)

    def close(self) -> None:
        """The connection is over; doing it again does nothing."""
        self._closed = True
        self.client.close()
        for app_id in self._apps:
            self._usage.disconnect(app_id)
        self._apps = ()

    def _count_here(self) -> None:
        second = self._deps.clock() // SECOND
        if second != self._second:
            self._second, self._commands = second, 0
        self._commands += 1
        if self._commands > self._deps.limits.frames_per_second:
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
            self._apps = (*self._apps, owner.app_id)
        return owner


def read(data: object, limit: int) -> SubscriptionRequest:
    """Read the data of a subscribe, at most ``limit`` bindings; raises BadRequest."""
    given: Mapping[str, Any] = data if isinstance(data, dict) else {}
    texts, account_id = binding_texts(given), given.get("account_id")
    missing = [
        name for name, value in (("account_id", account_id), ("binding", texts)) if not value
    ]
    if missing:
        raise BadRequest(f"missing required keys : {', '.join(missing)}")
    if not isinstance(account_id, str):
        raise BadRequest("unauthorized account id")
    return SubscriptionRequest(account_id, parsed(texts, limit), event_seq(given.get("after")))


def parsed(texts: list[Any], limit: int) -> tuple[Binding, ...]:
    """The bindings, at most ``limit``; raises BadRequest."""
    if len(texts) > limit:
        raise BadRequest(f"too many subscriptions: at most {limit} on one connection")
    return tuple(_parsed(text) for text in texts)


def binding_texts(given: Mapping[str, Any]) -> list[Any]:
    """The bindings as written: ``binding`` where it is given, as in Kazoo, else ``bindings``."""
    one, several = given.get("binding"), given.get("bindings")
    if one is not None and one != "":
        return [one]
    if several is None:
        return []
    return several if isinstance(several, list) else [several]


def event_seq(value: object) -> int | None:
    """An ``after``, where it is given; raises BadRequest."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequest("after is an Event-Seq: a whole number, 0 or more")
    return value


def _parsed(text: object) -> Binding:
    if not isinstance(text, str):
        raise BadRequest("a binding is a string, such as call.CHANNEL_CREATE.*")
    try:
        return parse(text)
    except BindingInvalid as error:
        raise BadRequest(str(error)) from None

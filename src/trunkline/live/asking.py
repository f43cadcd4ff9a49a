"""What a client asks for, checked: the token, the account, the bindings (both transports alike)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from trunkline.live.bindings import Binding, BindingInvalid, parse
from trunkline.live.deps import LiveDeps
from trunkline.live.hub import Client, TooManySubscriptions

_TOKEN = re.compile(r"[0-9a-f]{32}")


class BadToken(Exception):
    """The token is missing, malformed, unknown or expired; the message never holds it."""

    def __init__(self, message: str = "invalid auth token") -> None:
        super().__init__(message)


class BadRequest(Exception):
    """The rest of the request cannot be granted; the message says why."""


class Wanted(msgspec.Struct, frozen=True):
    """A well-formed subscribe."""

    account_id: str
    bindings: tuple[Binding, ...]
    after: int | None


def token_account(deps: LiveDeps, token: object) -> str:
    """The account whose events the token opens; raises BadToken."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise BadToken
    account_id = deps.tokens.account(hashlib.sha256(token.encode()).hexdigest(), deps.clock())
    if account_id is None:
        raise BadToken
    return account_id


def read(data: object, limit: int) -> Wanted:
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
    if len(texts) > limit:
        raise BadRequest(too_many(limit))
    return Wanted(account_id, tuple(_parsed(text) for text in texts), _after(given.get("after")))


def binding_texts(given: Mapping[str, Any]) -> list[Any]:
    """The bindings as written: ``bindings`` where it is given, else the one in ``binding``."""
    several = given.get("bindings")
    if several is not None:
        return several if isinstance(several, list) else [several]
    one = given.get("binding")
    return [] if one is None or one == "" else [one]


def grant(client: Client, wanted: Wanted, account_id: str) -> None:
    """Subscribe with a token of ``account_id``; raises BadRequest."""
    if wanted.account_id != account_id:
        raise BadRequest("unauthorized account id")
    try:
        client.subscribe(account_id, wanted.bindings, wanted.after)
    except TooManySubscriptions:
        raise BadRequest(too_many(client.limits.subscriptions)) from None


def too_many(limit: int) -> str:
    """The words for a connection that wants more bindings than it may have."""
    return f"too many subscriptions: at most {limit} on one connection"


def _parsed(text: object) -> Binding:
    if not isinstance(text, str):
        raise BadRequest("a binding is a string, such as call.CHANNEL_CREATE.*")
    try:
        return parse(text)
    except BindingInvalid as error:
        raise BadRequest(str(error)) from None


def _after(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequest("after is an Event-Seq: a whole number, 0 or more")
    return value


class FrameRate:
    """Counts a client's messages within each second."""

    def __init__(self, deps: LiveDeps) -> None:
        self._clock, self._limit = deps.clock, deps.limits.frames_per_second
        self._second, self._count = 0, 0

    def exceeded(self) -> bool:
        """Count one message; True when this second has had too many."""
        second = self._clock() // 1_000_000
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count > self._limit


def origin_allowed(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> bool:
    """May a page of this origin connect? Always its own host's, and clients that are no page."""
    if origin is None or "*" in allowed or origin in allowed:
        return True
    return host is not None and origin.partition("://")[2] == host

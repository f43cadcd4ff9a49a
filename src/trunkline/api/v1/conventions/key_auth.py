"""Who is asking: the holder of a key, which has the scope, from an address that it may use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from litestar.types import HTTPScope

from trunkline.api.http.addresses import allowed
from trunkline.api.http.request import address
from trunkline.api.v1.conventions.problems import Problem, problem, state
from trunkline.api.v1.conventions.rate_limits import CHALLENGE, CHALLENGE_INVALID, KeyRates
from trunkline.directory.api_keys import key_hash, looks_like_key
from trunkline.store.ports.apps import ApiKey, Keys
from trunkline.store.ports.database import DatabaseUnavailable

_log = structlog.get_logger()

_MINUTE = 60_000_000


class KeyAuth:
    """Admits keys. Each refusal is a Problem, in this order: key_missing, key_invalid (locked_out),
    rate_limited, scope_missing.
    """

    def __init__(self, keys: Keys, rates: KeyRates, clock: Callable[[], int]) -> None:
        self._keys = keys
        self._rates = rates
        self._clock = clock
        self._noted: dict[str, int] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def admit(self, scope: HTTPScope, required: str | None) -> ApiKey:
        """The key that the request came with, which has the scope (None: any will do).

        What is left of its rate is told by ``problems.limits_told(scope)`` from then on.
        """
        key = await self._key(scope)
        state(scope)["rate_limit"], refusal = self._rates.request(key.id)
        if refusal is not None:
            raise refusal
        if required is not None and required not in key.scopes:
            raise _scope_missing(required)
        self._note(key.id)
        return key

    async def valid(self, key: ApiKey) -> bool:
        """Is it still good? For requests that last: one read by primary key."""
        return await self._keys.valid(key.id, self._clock())

    async def recheck(self, key: ApiKey) -> None:
        """Raises key_invalid when the key was revoked, or ran out, since it was admitted."""
        if not await self.valid(key):
            raise problem("key_invalid", headers=CHALLENGE_INVALID)

    async def _key(self, scope: HTTPScope) -> ApiKey:
        text = _bearer(scope)
        client = address(scope)
        found = None
        if looks_like_key(text):
            found = await self._keys.by_hash(key_hash(text), self._clock())
        if found is None or not allowed(found.allowed_addresses, client):
            raise self._rates.wrong_key(client)
        return found

    def _note(self, key_id: str) -> None:
        """Have it written when the key was last used: once a minute, and nobody waits for it."""
        now = self._clock()
        if now - self._noted.get(key_id, -_MINUTE) < _MINUTE:
            return
        self._noted[key_id] = now
        task = asyncio.create_task(self._write_note(key_id, now))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _write_note(self, key_id: str, at: int) -> None:
        try:
            await self._keys.used(key_id, at)
        except DatabaseUnavailable as error:
            _log.warning("when a key was used could not be noted", error=str(error))


def _bearer(scope: HTTPScope) -> str:
    """The text after ``Bearer`` (RFC 6750, 2.1); raises Problem key_missing without one.

    A header that was sent twice has no one meaning, and so no key.
    """
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    kind, _, text = sent[0].decode("latin-1").partition(" ") if sent else ("", "", "")
    if kind.lower() != "bearer":
        raise problem("key_missing", headers=CHALLENGE)
    return text.strip(" ") if len(sent) == 1 else ""


def _scope_missing(required: str) -> Problem:
    challenge = f'Bearer realm="trunkline", error="insufficient_scope", scope="{required}"'
    return problem(
        "scope_missing",
        f"The key has no scope {required}.",
        headers=((b"www-authenticate", challenge.encode()),),
    )

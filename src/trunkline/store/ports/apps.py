"""What a database keeps of what applications hold: tokens, keys, and what their requests were answered.

A part of ``ports.database``, which has its rules.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec


class Claimed(msgspec.Struct, frozen=True):
    """The caller is the first with this key and has to answer it."""


class AlreadyAnswered(msgspec.Struct, frozen=True):
    """The key has been answered before, with this."""

    status: int
    body: bytes


class UnderWay(msgspec.Struct, frozen=True):
    """Another request with this key is being answered; it is to place this call."""

    call_id: str


class KeyReused(msgspec.Struct, frozen=True):
    """The key was used with another request."""


Claim = Claimed | AlreadyAnswered | UnderWay | KeyReused


class Requests(Protocol):
    """Idempotency: what an app's keys have been answered."""

    async def claim(
        self, app_id: str, key: str, fingerprint: str, call_id: str, now: int, kept_until: int
    ) -> Claim:
        """Take the key, or say what stands under it. An expired row counts as none."""

    async def answer(self, app_id: str, key: str, status: int, body: bytes) -> None:
        """Store the answer of a claimed key."""

    async def release(self, app_id: str, key: str) -> None:
        """Forget a claimed key: nothing came of it."""

    def alone(self, app_id: str, key: str) -> AbstractAsyncContextManager[bool]:
        """Have the key before every other process on the database; gives False if one has it.

        Inside a process the caller sees to that himself. Entering raises DatabaseUnavailable.
        """


class TokenOwner(msgspec.Struct, frozen=True):
    """Whose a token is."""

    app_id: str
    account_id: str


class Tokens(Protocol):
    """Event-socket tokens, kept as hashes."""

    async def add(self, token_hash: str, app_id: str, account_id: str, expires: int) -> None:
        """Store a token's hash; ``expires`` is a unix time in microseconds."""

    async def owner(self, token_hash: str, now: int) -> TokenOwner | None:
        """Whose a token is that is valid at ``now`` and whose app is still enabled."""


class ApiKey(msgspec.Struct, frozen=True):
    """A key of ``/v1``, as it is known after its making: the key itself is never stored."""

    id: str
    account_id: str
    name: str
    scopes: frozenset[str]
    allowed_addresses: tuple[str, ...]
    prefix: str = ""
    """How the key begins: enough to tell it by, of no use for anything else."""
    expires_at: int | None = None


class KeyRow(msgspec.Struct, frozen=True):
    """A key as a list shows it, also when revoked or expired. ``last_used_at`` is to the minute."""

    id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    allowed_addresses: tuple[str, ...]
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    enabled: bool


class Keys(Protocol):
    """The keys of ``/v1``, kept as SHA-256 hashes."""

    async def by_hash(self, key_hash: str, now: int) -> ApiKey | None:
        """The enabled, unexpired key of an enabled account."""

    async def valid(self, key_id: str, now: int) -> bool:
        """Is the key still enabled and unexpired, and its account enabled?"""

    async def listed(self, account_id: str, after: tuple[int, str], limit: int) -> list[KeyRow]:
        """At most ``limit`` keys, oldest first, that follow (created_at, id); (0, "") starts."""

    async def used(self, key_id: str, at: int) -> None:
        """Note when a key was last used."""

"""Who is asking: an app by its hash or its signature, from an address that it may use."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from litestar.types import Scope

from trunkline.api.http.addresses import allowed
from trunkline.api.http.errors import refuse
from trunkline.api.http.request import address, header
from trunkline.api.oapi.rates import Rates
from trunkline.api.oapi.signatures import SKEW, Nonces, Signed, is_right
from trunkline.store.ports.apps import Claimed, Requests
from trunkline.store.ports.database import App, Directory

T = TypeVar("T")

_APP_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIGNED_ONLY = "This app takes signed requests only."


def signed_by(scope: Scope) -> Signed | None:
    """The signature's headers, when the request has one."""
    if not (given := header(scope, b"x-auth-signature")):
        return None
    return Signed(
        app_id=header(scope, b"x-auth-app-id"),
        timestamp=header(scope, b"x-auth-timestamp"),
        nonce=header(scope, b"x-auth-nonce"),
        signature=given,
    )


def target(scope: Scope) -> bytes:
    """Path and query, byte for byte as they were sent."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.partition(b"?")[0]
    return path + b"?" + scope["query_string"] if scope["query_string"] else path


class AppAuth:
    """Admits apps. Each refusal is a Refused: APPID_MISSING, APPID_NOT_FOUND, HASH_NOT_MATCH,
    RATE_LIMITED, in the order of the contract.
    """

    def __init__(
        self,
        directory: Directory,
        requests: Requests,
        rates: Rates,
        clock: Callable[[], int],
        shared: bool = False,
    ) -> None:
        """``shared``: requests come to other processes on the database, too."""
        self._directory = directory
        self._requests = requests
        self._rates = rates
        self._clock = clock
        self._nonces = Nonces(clock(), shared=shared)

    async def by_hash(
        self, scope: Scope, app_id: str, given: str, proof: Callable[[App], T | None]
    ) -> tuple[App, T]:
        """The app whose hash was sent; ``proof`` gives None when the hash is wrong."""
        app = await self._app(scope, app_id, given)
        proven = proof(app) if _HASH.fullmatch(given) else None
        if proven is None:
            self._rates.failed(app.id, address(scope))
            raise refuse("HASH_NOT_MATCH")
        if not app.legacy_hashes:
            raise refuse("HASH_NOT_MATCH", _SIGNED_ONLY)
        return app, proven

    async def by_signature(self, scope: Scope, signed: Signed, body: bytes) -> App:
        app = await self._app(scope, signed.app_id, signed.signature)
        method = str(scope["method"])  # type: ignore[typeddict-item]
        if not is_right(signed, app.secret, method, target(scope), body):
            self._rates.failed(app.id, address(scope))
            raise refuse("HASH_NOT_MATCH")
        now = self._clock()
        if self._nonces.take(signed, now):
            await self._write_down(app, signed, now)
        return app

    async def _app(self, scope: Scope, app_id: str, given: str) -> App:
        if not app_id or not given:
            raise refuse("APPID_MISSING")
        app = await self._directory.app(app_id) if _APP_ID.fullmatch(app_id) else None
        if app is None or not allowed(app.allowed_addresses, address(scope)):
            self._rates.unknown(address(scope))
            raise refuse("APPID_NOT_FOUND")
        self._rates.locked_out(app.id, address(scope))
        return app

    async def _write_down(self, app: App, signed: Signed, now: int) -> None:
        """A space keeps these keys apart from what an Idempotency-Key can be."""
        key, until = f"nonce {signed.nonce}", now + 2 * SKEW * 1_000_000
        claim = await self._requests.claim(app.id, key, "nonce", "", now, until)
        if not isinstance(claim, Claimed):
            raise refuse("HASH_NOT_MATCH", "The nonce has been used before.")
        await self._requests.answer(app.id, key, 204, b"")

"""The signed scheme: a request signed whole, which cannot be altered, nor sent a second time.

Five lines are signed with HMAC-SHA256 under the app's secret: method, path with query exactly as
sent, timestamp, nonce, and the hex SHA-256 of the body. The result in hex is ``x-auth-signature``.
"""

from __future__ import annotations

import hmac
import re
from collections import defaultdict
from hashlib import sha256

import msgspec

from trunkline.api.http.errors import refuse
from trunkline.calls.times import SECOND

SKEW = 300
"""Seconds by which a timestamp may differ from our clock, either way."""

MOST_NONCES = 300_000
"""Nonces of one app remembered in each generation; when they are full, its requests wait."""

_TIMESTAMP = re.compile(r"[1-9][0-9]{8,10}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)


class Signed(msgspec.Struct, frozen=True):
    """What the four headers say, each as it was received ("" when it was not sent)."""

    app_id: str
    timestamp: str
    nonce: str
    signature: str

    @property
    def shaped(self) -> bool:
        """Have timestamp and nonce their shape? Nothing else of them is believed before."""
        return bool(_TIMESTAMP.fullmatch(self.timestamp) and _NONCE.fullmatch(self.nonce))


def signature(
    secret: str, method: str, target: bytes, timestamp: str, nonce: str, body: bytes
) -> str:
    """The right signature; ``target`` is the path with its query, byte for byte as sent."""
    lines = (method.encode(), target, timestamp.encode(), nonce.encode())
    text = b"\n".join((*lines, sha256(body).hexdigest().encode()))
    return hmac.new(secret.encode(), text, sha256).hexdigest()


def is_right(signed: Signed, secret: str, method: str, target: bytes, body: bytes) -> bool:
    """Does the signature fit the request? Compared in constant time."""
    if not signed.shaped:
        return False
    right = signature(secret, method, target, signed.timestamp, signed.nonce, body)
    return hmac.compare_digest(right.encode(), signed.signature.encode("utf-8", "surrogateescape"))


class Nonces:
    """The nonces of the requests that could still be replayed; bounded, in memory.

    A nonce is of use for at most twice the skew, so two generations of that length hold all of
    them. What ran before this process is not known, so nothing older than ``started_at`` is taken.
    Where requests come to several processes (``shared``), every nonce has to be written down.
    """

    def __init__(self, started_at: int, most: int = MOST_NONCES, shared: bool = False) -> None:
        self._started_at = started_at
        self._shared = shared
        self._turned_at = started_at
        self._most = most
        self._new: defaultdict[str, set[str]] = defaultdict(set)
        self._old: defaultdict[str, set[str]] = defaultdict(set)

    def take(self, signed: Signed, now: int) -> bool:
        """Use the nonce up; raises Refused HASH_NOT_MATCH (stale, early, replayed), RATE_LIMITED.

        True if the nonce has to be looked up in the database and written down there, too: another
        process may have taken it; a timestamp ahead of our clock may still be fresh after the next restart, and one from the
        first minutes of this process may have been ahead of the clock before the last restart.
        """
        at = int(signed.timestamp) * SECOND
        self._check_time(at, now)
        self._turn(now)
        self._remember(signed.app_id, signed.nonce)
        return self._shared or at > now or at <= self._started_at + SKEW * SECOND

    def _check_time(self, at: int, now: int) -> None:
        if abs(now - at) > SKEW * SECOND:
            raise refuse("HASH_NOT_MATCH", "The timestamp is over 5 minutes from our clock.")
        if at < self._started_at and not self._shared:
            raise refuse("HASH_NOT_MATCH", "The timestamp is from before a restart; sign again.")

    def _turn(self, now: int) -> None:
        if now - self._turned_at > 2 * SKEW * SECOND:
            self._old, self._new, self._turned_at = self._new, defaultdict(set), now

    def _remember(self, app_id: str, nonce: str) -> None:
        if nonce in self._new[app_id] or nonce in self._old[app_id]:
            raise refuse("HASH_NOT_MATCH", "The nonce has been used before.")
        if len(self._new[app_id]) >= self._most:
            raise refuse("RATE_LIMITED", retry_after=SKEW)
        self._new[app_id].add(nonce)

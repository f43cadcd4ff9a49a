"""``Idempotency-Key``: a request that changes something is answered once, however often it is sent.

What is guaranteed, for 24 hours from the first request with a key:

- The same request gets the first answer again, also a final refusal (4xx), with
  ``Idempotency-Replayed: true``; another request under the key is refused (422); one that comes while
  the first is being answered is told to wait (409).
- A refusal that says when to try again is not kept: the key is free again.
- When the server dies amid the first request (``kill -9``), the next one with that key takes it over
  and runs it again *with the same* ``Request.id``. So what a function makes under that id, in one
  transaction, "insert it, or read what is there", is made once; setting and deleting may be
  repeated by nature. An effect outside the database (a test message to somebody) may happen twice
  in that one case: such functions give ``Request.id`` along, so that the receiver can tell.
- The same holds when anything else went wrong that is not known to have done nothing (a 500, a full
  disk): the claim stays, and the next one with that key takes it over under the same id.

"Is being answered" is a set in memory, and a lock where several processes are on one database
(``Requests.alone``): both end with the process, and a claim without them has been left behind. Answers are kept encrypted, and what tells requests apart is an HMAC:
both may hold secrets that are shown once.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Awaitable, Callable

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from litestar.types import HTTPScope

from trunkline.api.http.answers import Answer
from trunkline.api.v1.conventions.problems import Fault, Problem, problem
from trunkline.store.ports.apps import (
    AlreadyAnswered,
    ApiKey,
    Claimed,
    KeyReused,
    Requests,
    UnderWay,
)
from trunkline.work.refused import Refused

KEPT = 24 * 3600 * 1_000_000
"""Microseconds for which an answer is kept."""

REPLAYED = (b"idempotency-replayed", b"true")

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_ABSENT = object()

Work = Callable[[str], Awaitable[Answer]]


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """An answer, or a refusal in place of one, as it is kept."""

    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    refusal: tuple[str, str, tuple[Fault, ...]] | None = None


class Idempotency:
    """Runs a request, or gives the answer that it got before."""

    def __init__(
        self, requests: Requests, secret: bytes, clock: Callable[[], int], new_id: Callable[[], str]
    ) -> None:
        """``secret`` is 32 bytes of the installation's own."""
        self._requests = requests
        self._secret = secret
        self._sealed = Fernet(base64.urlsafe_b64encode(secret))
        self._clock = clock
        self._new_id = new_id
        self._under_way: set[tuple[str, str]] = set()

    async def __call__(self, scope: HTTPScope, key: ApiKey, sent: bytes, work: Work) -> Answer:
        """The answer to the request; ``sent`` is all that tells it from another one.

        ``work`` takes the id of what it makes. Raises Problem, and what ``work`` raises.
        """
        name = _name(scope)
        if name is None:
            return await work(self._new_id())
        slot = (f"key:{key.id}", name)
        if slot in self._under_way:
            raise problem("idempotency_in_progress")
        self._under_way.add(slot)
        try:
            async with self._requests.alone(*slot) as alone:
                if not alone:
                    raise problem("idempotency_in_progress")
                return await self._claimed(slot, sent, work)
        finally:
            self._under_way.discard(slot)

    async def _claimed(self, slot: tuple[str, str], sent: bytes, work: Work) -> Answer:
        fingerprint = hmac.new(self._secret, sent, "sha256").hexdigest()
        now, id_ = self._clock(), self._new_id()
        claim = await self._requests.claim(*slot, fingerprint, id_, now, now + KEPT)
        match claim:
            case AlreadyAnswered(status, body):
                return self._again(status, body)
            case KeyReused():
                raise problem("idempotency_key_reused")
            case UnderWay(left_behind):
                return await self._answered(slot, work, left_behind)
            case Claimed():
                return await self._answered(slot, work, id_)

    async def _answered(self, slot: tuple[str, str], work: Work, id_: str) -> Answer:
        try:
            answer = await work(id_)
        except Refused as refused:
            await self._keep_refusal(slot, refused)
            raise
        await self._keep(slot, answer.status, _Kept(answer.headers, answer.body))
        return answer

    async def _keep_refusal(self, slot: tuple[str, str], refused: Refused) -> None:
        if refused.retry_after is not None:
            await self._requests.release(*slot)
            return
        told = (refused.code, refused.detail, getattr(refused, "errors", ()))
        await self._keep(slot, 0, _Kept(refusal=told))

    async def _keep(self, slot: tuple[str, str], status: int, kept: _Kept) -> None:
        sealed = self._sealed.encrypt(msgspec.msgpack.encode(kept))
        await self._requests.answer(*slot, status, sealed)

    def _again(self, status: int, sealed: bytes) -> Answer:
        try:
            opened = self._sealed.decrypt(sealed)
        except InvalidToken:  # another installation's key: open_database lets none in
            raise problem("idempotency_key_reused") from None
        kept = msgspec.msgpack.decode(opened, type=_Kept)
        if kept.refusal is not None:
            code, detail, errors = kept.refusal
            raise Problem(code, detail, errors=errors, headers=(REPLAYED,))
        return Answer(kept.body, status, (*kept.headers, REPLAYED))


def _name(scope: HTTPScope) -> str | None:
    """The key that was sent; raises Problem idempotency_key_invalid."""
    sent = [
        value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"
    ]
    if not sent:
        return None
    if len(sent) > 1 or not _KEY.fullmatch(sent[0]):
        fault = Fault("1 to 255 visible ASCII characters, once.", parameter="Idempotency-Key")
        raise problem("idempotency_key_invalid", errors=[fault])
    return sent[0]

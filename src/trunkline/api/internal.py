"""What the command line and other processes ask of the server: no part of the public API, opened by server.json's token."""

from __future__ import annotations

import hmac
from typing import TypeVar

import msgspec

from trunkline.api.http.answers import Answer
from trunkline.api.http.deps import ApiDeps
from trunkline.api.http.errors import refuse
from trunkline.api.http.request import AnyRequest, header, read_body
from trunkline.events.envelope import envelope
from trunkline.work.control.transfer_call import Transferred, TransferWanted
from trunkline.work.place.place_call import CallWanted
from trunkline.work.refused import Refused


class SampleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sample event that is asked for (``work.deliver.trigger_event``)."""

    account_id: str
    name: str
    call_id: str | None = None


class CallForwarded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that an app asked another process for, which has seen to it that it is the app."""

    app_id: str
    wanted: CallWanted


class CallDone(msgspec.Struct, frozen=True, tag="answer"):
    status: int
    body: bytes


class TransferDone(msgspec.Struct, frozen=True, tag="transferred"):
    """``work.control.transfer_call``'s answer."""

    transferred: Transferred


class CallRefused(msgspec.Struct, frozen=True, tag="refusal"):
    """``work.refused.Refused``."""

    code: str
    detail: str
    retry_after: int | None


T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class Internal:
    """Everything under /internal, as route handlers."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps

    async def sync(self, request: AnyRequest) -> Answer:
        """POST /internal/sync: take a changed directory in."""
        self._admit(request)
        await self._deps.sync()
        return Answer(b"", 204, ())

    async def sample(self, request: AnyRequest) -> Answer:
        """POST /internal/samples: store a sample event; answers with an array of ``/v1`` envelopes."""
        wanted = await self._read(request, SampleRequest)
        made = await self._deps.trigger_event(wanted.account_id, wanted.name, wanted.call_id)
        return Answer(_encode([msgspec.Raw(envelope(event)) for event in made]))

    async def place_call(self, request: AnyRequest) -> Answer:
        """POST /internal/place-call: a ``CallForwarded``; gives a ``CallDone`` or ``CallRefused``."""
        asked = await self._read(request, CallForwarded)
        return Answer(_encode(await self._placed(asked)))

    async def transfer_call(self, request: AnyRequest) -> Answer:
        """POST /internal/transfer-call: a ``TransferWanted``; gives a ``TransferDone`` or ``CallRefused``."""
        wanted = await self._read(request, TransferWanted)
        return Answer(_encode(await self._transferred(wanted)))

    async def _read(self, request: AnyRequest, kind: type[T]) -> T:
        """The body of a request that has the token; raises Refused TOKEN_INVALID, BODY_INVALID."""
        self._admit(request)
        try:
            return msgspec.json.decode(await read_body(request.scope, request.receive), type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused("BODY_INVALID", str(error)) from error

    async def _transferred(self, wanted: TransferWanted) -> TransferDone | CallRefused:
        try:
            return TransferDone(await self._deps.transfer_call(wanted))
        except Refused as refused:
            return CallRefused(refused.code, refused.detail, refused.retry_after)

    async def _placed(self, asked: CallForwarded) -> CallDone | CallRefused:
        app = await self._deps.db.directory.app(asked.app_id)
        try:
            if app is None:
                raise refuse("APPID_NOT_FOUND")
            placed = await self._deps.place_call(app, asked.wanted)
        except Refused as refused:
            return CallRefused(refused.code, refused.detail, refused.retry_after)
        return CallDone(placed.status, placed.body)

    def _admit(self, request: AnyRequest) -> None:
        right = f"Bearer {self._deps.sync_token}".encode()
        given = header(request.scope, b"authorization").encode()
        if not self._deps.sync_token or not hmac.compare_digest(right, given):
            raise refuse("TOKEN_INVALID")

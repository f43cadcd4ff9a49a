"""The door at which the command line knocks: not part of the public API, opened by server.json's token."""

from __future__ import annotations

import hmac

import msgspec

from trunkline.api.answers import Answer
from trunkline.api.auth import header
from trunkline.api.bodies import read_body
from trunkline.api.deps import ApiDeps
from trunkline.api.errors import refuse
from trunkline.api.oapi import AnyRequest
from trunkline.calls.envelope import envelope
from trunkline.work.refused import Refused


class SampleWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sample event that is asked for (``work.trigger_event``)."""

    account_id: str
    name: str
    call_id: str | None = None


_read = msgspec.json.Decoder(SampleWanted).decode
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
        self._admit(request)
        try:
            wanted = _read(await read_body(request.scope, request.receive))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused("BODY_INVALID", str(error)) from error
        made = await self._deps.trigger_event(wanted.account_id, wanted.name, wanted.call_id)
        return Answer(_encode([msgspec.Raw(envelope(event)) for event in made]))

    def _admit(self, request: AnyRequest) -> None:
        right = f"Bearer {self._deps.sync_token}".encode()
        given = header(request.scope, b"authorization").encode()
        if not self._deps.sync_token or not hmac.compare_digest(right, given):
            raise refuse("TOKEN_INVALID")

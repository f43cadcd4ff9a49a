"""uvicorn's HTTP protocol, which lends its transport to a stream that never ends.

ASGI would have a task wait for each event and each reader. A stream takes what comes from the hub
straight to the transport instead, as prebuilt chunks of the body.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trunkline.live.asgi import Scope

_LENT = "trunkline.protocol"


class Stream(Protocol):
    """Who has the transport."""

    def congested(self) -> None:
        """The peer does not take what is written."""

    def flowing(self) -> None:
        """It does again."""

    def closed(self) -> None:
        """The connection is over."""

    def shutdown(self) -> None:
        """The server goes down."""


class EventHttp(HttpToolsProtocol):
    """What uvicorn takes as ``Config(http=…)``."""

    stream: Stream | None = None

    def on_message_begin(self) -> None:
        """Put the protocol into the scope, where `lent` finds it."""
        super().on_message_begin()
        self.scope["extensions"] = {_LENT: self}  # type: ignore[dict-item]

    def pause_writing(self) -> None:
        """The transport's buffer is above its high water."""
        super().pause_writing()
        if self.stream:
            self.stream.congested()

    def resume_writing(self) -> None:
        """And below its low water again."""
        super().resume_writing()
        if self.stream:
            self.stream.flowing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        super().connection_lost(exc)
        if self.stream:
            self.stream.closed()

    def shutdown(self) -> None:
        """uvicorn's word for the server's going down."""
        if self.stream:
            self.stream.shutdown()
        super().shutdown()


def lent(scope: Scope) -> tuple[EventHttp, asyncio.Transport]:
    """The connection that a request came by."""
    protocol: EventHttp = scope["extensions"][_LENT]
    return protocol, protocol.transport

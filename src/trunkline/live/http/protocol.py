"""uvicorn's HTTP protocol, which lends its transport to a stream that never ends.

ASGI would have a task wait for each event and each reader. A stream takes what comes from the hub
straight to the transport instead, as prebuilt chunks of the body.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trunkline.live.http.asgi import Scope

_LENT = "trunkline.protocol"

HEAD_BYTES = 64 * 1024
"""Of a request's head, a chunk's head, or trailers; uvicorn would keep as much as comes."""
WHOLE_SECONDS = 30.0
"""How long a client may take to send a whole request, counted from connecting or its beginning."""
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"retry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class TransportBorrower(Protocol):
    """It writes to a connection's transport by itself, and is told how that one is."""

    def congested(self) -> None:
        """The peer does not take what is written."""

    def flowing(self) -> None:
        """It does again."""

    def closed(self) -> None:
        """The connection is over."""

    def shutdown(self) -> None:
        """The server goes down."""


class _OfClients(logging.LoggerAdapter[logging.Logger]):
    """What uvicorn warns of is that a client sent no HTTP, or wants another protocol than we speak.

    The client is told. A line for each would let anybody fill the log.
    """

    @property
    def level(self) -> int:
        return self.logger.level

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.debug(msg, *args, **kwargs)


class EventHttp(HttpToolsProtocol):
    """uvicorn takes it as ``Config(http=…)``."""

    stream: TransportBorrower | None = None
    _unread = 0
    """Bytes since the parser last came to an end of something."""
    _late: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, descriptors: int = sys.maxsize, **kwargs: Any) -> None:
        """A connection whose descriptor is not below ``descriptors`` is turned away."""
        super().__init__(*args, **kwargs)
        self._descriptors = descriptors
        self.logger = _OfClients(self.logger)  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()
        if transport.get_extra_info("socket").fileno() >= self._descriptors:
            transport.write(_FULL)
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self._unread > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._unread and self._late is None:  # blank lines, which begin nothing
            self._expect()

    def on_message_begin(self) -> None:
        """Put the protocol into the scope, where `lent` finds it."""
        super().on_message_begin()
        self.scope["extensions"] = {_LENT: self}  # type: ignore[dict-item]
        self._expect()

    def on_headers_complete(self) -> None:
        self._unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        self._expect_no_more()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._expect_no_more()
        super().handle_websocket_upgrade()

    def _expect(self) -> None:
        self._expect_no_more()
        self._late = self.loop.call_later(WHOLE_SECONDS, self.transport.close)

    def _expect_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.stream:
            self.stream.congested()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.stream:
            self.stream.flowing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_more()
        super().connection_lost(exc)
        if self.stream:
            self.stream.closed()

    def shutdown(self) -> None:
        if self.stream:
            self.stream.shutdown()
        super().shutdown()


def lent(scope: Scope) -> tuple[EventHttp, asyncio.Transport]:
    """The connection that brought the request."""
    protocol: EventHttp = scope["extensions"][_LENT]
    return protocol, protocol.transport

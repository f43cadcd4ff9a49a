"""Commands and events by ARI, Asterisk's REST interface, both over one WebSocket.

REST over the WebSocket needs Asterisk 22.5 or later (``RESTRequest``/``RESTResponse``); it saves a
connection and a round trip through Asterisk's HTTP server, which has a thread for each connection.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from trunkline.engine.port import EngineUnavailable

log = structlog.get_logger()

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_TIMEOUT = 5.0
APP = "trunkline"
# All other events stay in Asterisk: encoding them costs it more than the calls do.
WANTED = (
    "RESTResponse",  # the filter holds back answers, too
    "ChannelStateChange",
    "Dial",
    "ChannelHangupRequest",
    "ChannelDestroyed",
    "ChannelHold",
    "ChannelUnhold",
    "ContactStatusChange",
    "PeerStatusChange",
)

OnEvent = Callable[[dict[str, Any]], None]


class AriError(Exception):
    """Asterisk refused a request; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


class Ari:
    """One connection to ARI, which is made again whenever it is cut off; events go to ``on_event``."""

    def __init__(self, port: int, password: str, on_event: OnEvent) -> None:
        self._connection: ClientConnection | None = None
        self.move(port)
        credentials = base64.b64encode(f"{APP}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}
        self._on_event = on_event
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def move(self, port: int) -> None:
        """Connect to this port, where an engine is about to start: one that was connected is gone."""
        self._url = f"ws://127.0.0.1:{port}/ari/events?app={APP}&subscribeAll=true"
        # It may not have been noticed yet, and would pass for a connection to the new one.
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.transport.abort()

    async def run(
        self, on_connected: Callable[[], Awaitable[None]], on_cut_off: Callable[[], None]
    ) -> None:
        """Connect, call ``on_connected`` (which may send requests), and connect again whenever cut off."""
        while True:
            try:
                await self._one_connection(on_connected)
            except (
                OSError,
                WebSocketException,
                TimeoutError,
                EngineUnavailable,
                AriError,
                msgspec.DecodeError,
            ) as error:
                log.debug("ari.cut_off", error=str(error))
            on_cut_off()
            await asyncio.sleep(0.1)

    async def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request; returns the decoded answer, or None for an empty one.

        Raises AriError when Asterisk refuses, EngineUnavailable when it does not answer.
        """
        connection = self._connection
        if connection is None:
            raise EngineUnavailable("the phone engine is not connected")
        number = str(next(self._numbers))
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await connection.send(_request(number, method, path, body), text=True)
            async with asyncio.timeout(_TIMEOUT):
                response = await answer
        except (ConnectionClosed, TimeoutError) as error:
            raise EngineUnavailable("the phone engine did not answer") from error
        finally:
            del self._waiting[number]
        return _answer(response)

    async def _one_connection(self, on_connected: Callable[[], Awaitable[None]]) -> None:
        async with connect(
            self._url,
            additional_headers=self._headers,
            proxy=None,
            compression=None,
            max_size=None,
            open_timeout=_TIMEOUT,
        ) as connection:
            reader = asyncio.create_task(self._read(connection))
            try:
                self._connection = connection
                allowed = [{"type": name} for name in WANTED]
                await self.request("PUT", f"applications/{APP}/eventFilter", {"allowed": allowed})
                await on_connected()
                await reader
            finally:
                self._connection = None
                reader.cancel()
                self._give_up()

    async def _read(self, connection: ClientConnection) -> None:
        try:
            async for raw in connection:
                message = _decode(raw)
                if message.get("type") != "RESTResponse":
                    self._give_event(message)
                    continue
                waiting = self._waiting.get(message.get("request_id", ""))
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
        finally:
            self._give_up()

    def _give_event(self, message: dict[str, Any]) -> None:
        """An event that is not as we know it is dropped: calls depend on this connection."""
        try:
            self._on_event(message)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("ari.strange_event", kind=message.get("type"), error=repr(error))

    def _give_up(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(EngineUnavailable("the phone engine was cut off"))


def segment(text: str) -> str:
    return quote(text, safe="")


def _request(number: str, method: str, path: str, body: dict[str, Any] | None) -> bytes:
    message: dict[str, Any] = {
        "type": "RESTRequest",
        "transaction_id": number,
        "request_id": number,
        "method": method,
        "uri": path,
    }
    if body is not None:
        message["content_type"] = "application/json"
        message["message_body"] = msgspec.json.encode(body).decode()
    return msgspec.json.encode(message)


def _answer(response: dict[str, Any]) -> Any:
    status = int(response.get("status_code", 500))
    body = response.get("message_body")
    if status >= 400:
        raise AriError(status, str(response.get("reason_phrase", "")))
    return msgspec.json.decode(body) if body else None

"""What a route gives back: a status, headers, and a body that is ready or comes in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from litestar.types import Receive, Scope, Send

Headers = tuple[tuple[bytes, bytes], ...]

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")


class BrokenOff(Exception):
    """What an answer is made from is there no more: the client sees that it is cut short."""


class Answer:
    """An ASGI answer with a body that is already bytes. ``Content-Length`` is added."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes, status: int = 200, headers: Headers = (JSON, NO_STORE)) -> None:
        self.body = body
        self.status = status
        self.headers = headers

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = list(self.headers)
        if self.status != 204:
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Stream(Answer):
    """An ASGI answer whose body comes in pieces; the first piece is there already."""

    __slots__ = ("rest",)

    def __init__(
        self,
        status: int,
        headers: Headers,
        first: bytes = b"",
        rest: AsyncIterator[bytes] | None = None,
    ) -> None:
        super().__init__(first, status, headers)
        self.rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status, "headers": list(self.headers)}
        )
        if scope["method"] == "HEAD":  # type: ignore[typeddict-item]
            self.rest = None
        if self.rest is not None:
            try:
                await self._send_pieces(self.rest, receive, send)
            except BrokenOff:
                return  # uvicorn closes the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_pieces(self, rest: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
        """No more of them than the client takes: for one that is gone nothing is read."""
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            async for piece in rest:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if leaving.done():
                    raise BrokenOff
        finally:
            leaving.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""Reading a request's body, up to what is allowed."""

from __future__ import annotations

from litestar.types import Receive, Scope

from trunkline.api.http.errors import refuse
from trunkline.api.oapi.auth import header

MAX_BODY = 64 * 1024


class ClientGone(Exception):
    """The client closed the connection amid its request; nobody waits for an answer."""


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body; raises Refused BODY_TOO_LARGE (over 64 KiB) and ClientGone."""
    announced = header(scope, b"content-length")
    if announced.isascii() and announced.isdigit() and _over(announced):
        raise refuse("BODY_TOO_LARGE")
    return await _read(receive)


def _over(digits: str) -> bool:
    return len(digits) > 20 or int(digits) > MAX_BODY


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise refuse("BODY_TOO_LARGE")
        if not message.get("more_body", False):
            return bytes(body)

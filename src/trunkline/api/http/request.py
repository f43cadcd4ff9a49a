"""What a request says: its headers, whom it comes from, how we are reached, and its body up to what is allowed."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request
from litestar.types import Receive, Scope

from trunkline.api.http.errors import refuse

AnyRequest = Request[Any, Any, Any]

MAX_BODY = 64 * 1024

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", re.ASCII)
"""RFC 9110, 7.2, less what no host is called: it goes into links, between quotes and brackets."""


class ClientGone(Exception):
    """The client closed the connection amid its request; nobody waits for an answer."""


def header(scope: Scope, name: bytes) -> str:
    """The header's value ("" when it was not sent); ``name`` in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""


def address(scope: Scope) -> str:
    """The client's IP address as the server saw it ("" on a local socket)."""
    client = scope.get("client")
    return client[0] if client else ""


def base_url(scope: Scope, public_url: str) -> str:
    """What absolute links start with: the setting, or else the host that the client named."""
    if public_url:
        return public_url.rstrip("/")
    host = header(scope, b"host")
    named = host if _HOST.fullmatch(host) else "localhost"
    return f"{scope.get('scheme', 'http')}://{named}"


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

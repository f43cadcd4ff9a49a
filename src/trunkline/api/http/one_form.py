"""A path is reached in one form only, so that a proxy's rule about it cannot be gone round.

``//healthz``, ``/healthz/``, ``/%68ealthz``, ``/./healthz`` and ``/healthz;x`` name nothing, though a framework would take
some of them for ``/healthz`` (RFC 3986 6.2.2 calls them equivalent; whoever filters paths need not know).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from trunkline.api.http.answers import Answer

_AS_THEY_ARE = r"A-Za-z0-9._~!$&'()*+,=:@-"
"""RFC 3986's pchar, less ``;``, which some servers cut a path at."""
_PATH = re.compile(rf"(?:/(?:[{_AS_THEY_ARE}]|%[0-9A-Fa-f]{{2}})+)+|/".encode())
_NEVER_ESCAPED = re.compile(rb"[A-Za-z0-9._~/\\%\x00-\x1f\x7f-]")
"""What is the same unescaped, divides a path, is an escape itself, or is no text."""
_ESCAPES = re.compile(rb"%[0-9A-Fa-f]{2}")
_LONGEST = 4096
"""No path of ours is longer, and thousands of paths are remembered, here and in the framework's routing."""


def is_canonical(raw: bytes) -> bool:
    """Is this path as it came (without its query) written in the one form that we know?"""
    if len(raw) > _LONGEST or _PATH.fullmatch(raw) is None:
        return False
    if any(part in (b".", b"..") for part in raw.split(b"/")):
        return False
    return b"%" not in raw or _escapes_are_needed(raw)


@lru_cache(maxsize=1024)
def _escapes_are_needed(raw: bytes) -> bool:
    try:
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return False
    return not any(
        _NEVER_ESCAPED.fullmatch(unquote_to_bytes(escape)) for escape in _ESCAPES.findall(raw)
    )


class OneForm:
    """ASGI around the API: all other forms of a path have nothing behind them."""

    def __init__(self, app: ASGIApp, nothing: Callable[[HTTPScope], Answer]) -> None:
        self._app, self._nothing = app, nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or scope["path"].encode()
        serve: Callable[[Scope, Receive, Send], Awaitable[None]] = self._app
        if not is_canonical(raw.partition(b"?")[0]):
            serve = self._nothing(scope)  # type: ignore[arg-type]
        await serve(scope, receive, send)

"""A connection to a receiver, of which only so many bytes are read, whatever it calls them.

An answer's head and body have limits of their own. But a receiver may send interim answers (100, 103) for ever, or
chunks of a byte with thousands of bytes of extension: reading all that would keep the only thread busy.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpcore

MOST = 256 * 1024


class BoundedStream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._left = MOST

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises httpcore.ReadError, as for whatever else goes wrong, once too much has come."""
        if self._left <= 0:
            raise httpcore.ReadError(f"over {MOST // 1024} KiB came before it was whole")
        data = await self._inner.read(max_bytes, timeout)
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The handshake reads by itself, and has an end; from there on it is counted again."""
        return BoundedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

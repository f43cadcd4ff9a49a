"""What the kernel keeps of a connection that is not read, which would be megabytes."""

from __future__ import annotations

import asyncio
import socket

_SEND_BYTES = 64 * 1024


def keep_little(transport: asyncio.BaseTransport) -> None:
    """For connections that are open for long and carry events, of which there may be thousands."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)

"""Bytes as they stand on the wire: a WebSocket's message, a chunk of an HTTP body. Pure."""

from __future__ import annotations

import struct

_TEXT = 0x81  # RFC 6455 5.2: FIN and opcode 1


def text_frame(payload: bytes) -> bytes:
    """A whole text message from the server, unmasked (RFC 6455 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((_TEXT, length)) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, length) + payload
    return struct.pack("!BBQ", _TEXT, 127, length) + payload


def chunk(payload: bytes) -> bytes:
    """A chunk of an HTTP/1.1 body (RFC 9112 7.1)."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)

"""WebSockets that break the rules of RFC 6455, or want too much."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib

from .paths import UPGRADE
from .report import Report
from .target import Target

_MASK = b"\0\0\0\0"


def frame(first: int, payload: bytes, masked: bool = True, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + (_MASK if masked else b"") + payload


_RESET = b"(reset)"
_BOMB = zlib.compressobj(wbits=-15)
CASES: dict[str, tuple[bytes, ...]] = {
    "a frame that is not masked": (frame(0x81, b"{}", masked=False),),
    "a length of 2^63": (frame(0x81, b"", length=1 << 63),),
    "a length of 1 GiB": (frame(0x81, b"x" * 65536, length=1 << 30),),
    "fragments without an end": (frame(0x01, b"x" * 60000), *[frame(0x00, b"x" * 60000)] * 20),
    "a continuation of nothing": (frame(0x80, b"x"),),
    "a long ping": (frame(0x89, b"x" * 126),),
    "a fragmented ping": (frame(0x09, b"x"),),
    "a reserved opcode": (frame(0x83, b"x"),),
    "a reserved bit": (frame(0xC1, _BOMB.compress(b"x" * (1 << 22)) + _BOMB.flush()),),
    "a text that is no UTF-8": (frame(0x81, b"\xff\xfe"),),
    "a close of one byte": (frame(0x88, b"x"),),
    "a close with a code that is none": (frame(0x88, struct.pack("!H", 999)),),
}


async def attack(target: Target, report: Report) -> None:
    lines = ("GET /oapi/v1/voice/events HTTP/1.1", target.host, *UPGRADE)
    deflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    shake = "\r\n".join((*lines, deflate, "", "")).encode()
    said = await target.raw(shake)
    compressed = b"deflate" in said.lower()
    report.case("a WebSocket is not compressed", b"101" in said[:20] and not compressed, said[:200])
    for name, frames in CASES.items():
        said = await _said(target, shake, frames)
        report.case(f"a WebSocket: {name}: is closed", _closed(said), said[-60:])
    flood = (frame(0x89, b"x"),) * 5000
    report.case("a flood of pings ends nothing", await _still_answers(target, shake, flood))
    empty = (frame(0x01, b""), *[frame(0x00, b"")] * 20_000)
    report.case("empty fragments end nothing", await _still_answers(target, shake, empty))
    said = await _said(target, shake, (frame(0x81, b"[" * 50_000),))
    report.case("JSON that is deeply nested is refused", b"invalid frame" in said, said[-80:])
    data = {"account_id": "0" * 32, "binding": "call.*.*"}
    wanted = {"action": "subscribe", "auth_token": target.token, "data": data}
    said = await _said(target, shake, (frame(0x81, json.dumps(wanted).encode()),))
    report.case("another account's events are refused", b"unauthorized account" in said, said[-80:])
    other = "\r\n".join((*lines, "Origin: https://evil.example", "", "")).encode()
    said = await target.raw(other)
    report.case(
        "a page of any origin may connect, as cors_origins says", said[9:12] == b"101", said[:60]
    )


async def _said(target: Target, shake: bytes, frames: tuple[bytes, ...]) -> bytes:
    """What is said to these frames, sent once the handshake is done, within a few seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    said = b""
    try:
        writer.write(shake)
        async with asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
            for each in frames:
                writer.write(each)
            while piece := await asyncio.wait_for(reader.read(65536), 2):
                said += piece
    except ConnectionError:
        said += _RESET
    except TimeoutError:
        pass
    finally:
        writer.close()
    return said


def _closed(said: bytes) -> bool:
    """Is a close frame the last that is said, or has the kernel thrown it away with what was not read?"""
    at = len(said) if said.endswith(_RESET) else said.rfind(b"\x88")
    return at == len(said) or (at >= 0 and at + 2 + said[at + 1] == len(said))


async def _still_answers(target: Target, shake: bytes, frames: tuple[bytes, ...]) -> bool:
    flooding = asyncio.create_task(_said(target, shake, frames))
    answered = await target.status("GET", "/healthz", target.host)
    await flooding
    return answered == 200

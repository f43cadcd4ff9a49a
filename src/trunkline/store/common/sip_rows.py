"""SIP messages as rows: some messages of a call in each, packed.

The messages of a call say nearly the same again and again, so together they take a tenth of their
size. A row is MessagePack under zlib.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from trunkline.sip.message import SipMessage, SipPart
from trunkline.store.ports.sip_messages import SipFound

_decoder = msgspec.msgpack.Decoder(tuple[SipMessage, ...])
_encoder = msgspec.msgpack.Encoder()
_LARGEST = 16 << 20
"""Bytes that a row may unpack to."""


def packed(parts: Sequence[SipPart]) -> list[dict[str, Any]]:
    """The columns of each part's row, by their names."""
    return [
        {
            "account_id": part.account_id,
            "call_id": part.call_id,
            "stored_at": part.stored_at,
            "messages": len(part.messages),
            "skipped": part.skipped,
            "body": zlib.compress(_encoder.encode(part.messages), 6),
        }
        for part in parts
    ]


def found(rows: Iterable[tuple[int, bytes]], limit: int) -> SipFound:
    """The messages of rows (skipped, body), in the order of their times, at most ``limit``."""
    messages: list[SipMessage] = []
    skipped = 0
    for each, body in rows:
        skipped += each
        messages += _decoder.decode(zlib.decompressobj().decompress(body, _LARGEST))
    messages.sort(key=lambda message: message.at)
    return SipFound(tuple(messages[:limit]), skipped > 0 or len(messages) > limit)

"""Parses HEPv3: the datagrams in which Asterisk (``res_hep``) tells of each SIP message.

``HEP3``, the whole length (16 bits), then chunks: vendor, type and length (16 bits each, the length
with these six bytes), and a value. All numbers are big-endian. Source: the HEP3 specification, rev. 12
(sipcapture/HEP), and what ``hep_queue_cb`` in Asterisk's ``res/res_hep.c`` writes.
"""

from __future__ import annotations

import hmac
import struct
from ipaddress import IPv4Address, IPv6Address

from trunkline.sip.message import CapturedSip

_HEAD = struct.Struct("!4sH")
_CHUNK = struct.Struct("!HHH")
_GENERIC, _SIP = 0, 1
_SOURCE4, _DESTINATION4, _SOURCE6, _DESTINATION6 = 3, 4, 5, 6
_SOURCE_PORT, _DESTINATION_PORT, _SECONDS, _MICROSECONDS = 7, 8, 9, 10
_KIND, _KEY, _PAYLOAD = 11, 14, 15
_PROTOCOL = 2
_LENGTHS = {
    _PROTOCOL: 1, _SOURCE4: 4, _DESTINATION4: 4, _SOURCE6: 16, _DESTINATION6: 16,
    _SOURCE_PORT: 2, _DESTINATION_PORT: 2, _SECONDS: 4, _MICROSECONDS: 4, _KIND: 1,
}  # fmt: skip
_KNOWN = {*_LENGTHS, _KEY, _PAYLOAD}
_TCP = 6


def parse(datagram: bytes, password: bytes) -> CapturedSip | None:
    """The SIP message in a datagram; None for anything else, or with another password."""
    chunks = _chunks(datagram)
    if chunks is None or not hmac.compare_digest(chunks.get(_KEY, b""), password):
        return None
    if chunks.get(_KIND) != bytes([_SIP]) or _PAYLOAD not in chunks:
        return None
    source, destination = _addresses(chunks)
    seconds, microseconds = (_number(chunks, each) for each in (_SECONDS, _MICROSECONDS))
    if source is None or destination is None or seconds is None or microseconds is None:
        return None
    if microseconds >= 1_000_000:
        return None
    return CapturedSip(
        at=seconds * 1_000_000 + microseconds,
        source=source,
        destination=destination,
        stream=_number(chunks, _PROTOCOL) == _TCP,
        payload=chunks[_PAYLOAD],
    )


def _chunks(datagram: bytes) -> dict[int, bytes] | None:
    """The generic chunks by type; None unless the datagram is whole, and has each chunk once."""
    if len(datagram) < _HEAD.size or _HEAD.unpack_from(datagram) != (b"HEP3", len(datagram)):
        return None
    found: dict[int, bytes] = {}
    at = _HEAD.size
    while at < len(datagram):
        if at + _CHUNK.size > len(datagram):
            return None
        vendor, kind, length = _CHUNK.unpack_from(datagram, at)
        value = datagram[at + _CHUNK.size : at + length]
        if length < _CHUNK.size or at + length > len(datagram):
            return None
        if vendor == _GENERIC and kind in _KNOWN:
            if kind in found or len(value) != _LENGTHS.get(kind, len(value)):
                return None
            found[kind] = value
        at += length
    return found


def _addresses(chunks: dict[int, bytes]) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    ports = (_number(chunks, _SOURCE_PORT), _number(chunks, _DESTINATION_PORT))
    hosts: tuple[IPv4Address | IPv6Address, ...] = ()
    if _SOURCE4 in chunks and _DESTINATION4 in chunks:
        hosts = (IPv4Address(chunks[_SOURCE4]), IPv4Address(chunks[_DESTINATION4]))
    elif _SOURCE6 in chunks and _DESTINATION6 in chunks:
        hosts = (IPv6Address(chunks[_SOURCE6]), IPv6Address(chunks[_DESTINATION6]))
    if not hosts or ports[0] is None or ports[1] is None:
        return None, None
    return (str(hosts[0]), ports[0]), (str(hosts[1]), ports[1])


def _number(chunks: dict[int, bytes], kind: int) -> int | None:
    return int.from_bytes(chunks[kind], "big") if kind in chunks else None

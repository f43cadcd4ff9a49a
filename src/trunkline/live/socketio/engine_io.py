"""Engine.IO 3 and 4 on the wire: packets, and the payloads of long polling (engine.io-protocol). Pure.

A packet is a string whose first character is its type. Revision 3 is what clients of Socket.IO 1
and 2 speak, revision 4 those of 3 and 4. Only text is spoken here: binary packets are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import msgspec

from trunkline.live.socketio.client_packet import BINARY, PacketInvalid

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0", "1", "2", "3", "4", "5", "6"
PROBE = "probe"
MOST_PACKETS = 1000
"""In one payload; clients send what they have, which is a handful."""

_TYPES = frozenset("0123456")
_SEPARATOR = "\x1e"
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_HEAD = re.compile("([0-9]{1,10}):")


class RequestError(msgspec.Struct, frozen=True):
    """The reference server's answer to a request that it refuses: JSON with the HTTP ``status``."""

    code: int
    message: str
    status: int = 400

    def body(self) -> bytes:
        """``{"code":1,"message":"Session ID unknown"}``."""
        return msgspec.json.encode({"code": self.code, "message": self.message})


TRANSPORT_UNKNOWN = RequestError(0, "Transport unknown")
SID_UNKNOWN = RequestError(1, "Session ID unknown")
BAD_HANDSHAKE = RequestError(2, "Bad handshake method")
BAD_REQUEST = RequestError(3, "Bad request")
FORBIDDEN = RequestError(4, "Forbidden", 403)
VERSION_UNKNOWN = RequestError(5, "Unsupported protocol version")


def revision(asked: str | None) -> int | None:
    """The revision that ``EIO=`` asks for: 3 where it is left out, None where we do not speak it.

    Revision 2 (Socket.IO 1.0) differs from 3 in binary packets only.
    """
    return {None: 3, "2": 3, "3": 3, "4": 4}.get(asked)


def handshake(sid: str, upgrades: Sequence[str], interval: float, timeout: float, most: int) -> str:
    """The open packet; ``interval`` and ``timeout`` in seconds, ``most`` in bytes a payload."""
    data = {
        "sid": sid,
        "upgrades": list(upgrades),
        "pingInterval": round(interval * 1000),
        "pingTimeout": round(timeout * 1000),
        "maxPayload": most,
    }
    return OPEN + msgspec.json.encode(data).decode()


def split(packet: str) -> tuple[str, str]:
    """A packet's type and its data; raises PacketInvalid."""
    if packet[:1] == "b":
        raise PacketInvalid(BINARY)
    if packet[:1] not in _TYPES or not packet:
        raise PacketInvalid
    return packet[0], packet[1:]


def payload(version: int, packets: Sequence[str]) -> str:
    """Several packets as one body; in revision 3 all of it is ASCII where the packets are JSON.

    (Clients 1 and 2 count a length in different units, and encode twice or once.)
    """
    if version == 4:
        return _SEPARATOR.join(packets)
    escaped = (_BEYOND_ASCII.sub(_escape, packet) for packet in packets)
    return "".join(f"{len(packet)}:{packet}" for packet in escaped)


def packets(version: int, body: str) -> list[str]:
    """The packets in a body; raises PacketInvalid."""
    if version != 4:
        return counted(_HEAD, body)
    found = body.split(_SEPARATOR, MOST_PACKETS)
    if len(found) > MOST_PACKETS:
        raise PacketInvalid
    return found


def length(text: str) -> int:
    """The length as JavaScript counts it: in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _units(body: str, at: int, count: int) -> str:
    """So many UTF-16 code units from ``at`` on; raises PacketInvalid where they are not there."""
    text = body[at : at + count].encode("utf-16-le")[: 2 * count]
    if len(text) != 2 * count:
        raise PacketInvalid
    try:
        return text.decode("utf-16-le")
    except UnicodeDecodeError:
        raise PacketInvalid from None


def _escape(found: re.Match[str]) -> str:
    """The characters as JSON writes them in ASCII."""
    return json.dumps(found[0])[1:-1]


def counted(heads: re.Pattern[str], body: str) -> list[str]:
    """The packets of a body in which each follows a head that says its length; raises PacketInvalid."""
    found: list[str] = []
    at = 0
    while at < len(body):
        head = heads.match(body, at)
        if not head or len(found) == MOST_PACKETS:
            raise PacketInvalid
        found.append(_units(body, head.end(), int(head[1])))
        at = head.end() + len(found[-1])
    return found

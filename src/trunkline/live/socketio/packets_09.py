"""The wire of Socket.IO 0.9, which Kazoo 3 spoke: packets and payloads (socket.io-spec 0.9). Pure.

``<type>:[<number>[+]]:[<endpoint>][:<data>]``; a ``+`` asks for an acknowledgement by the
application, a number alone for one by the machinery. Several packets in one body are
``\\ufffd<length>\\ufffd<packet>`` each, the length as JavaScript counts it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from trunkline.live.socketio.client_packet import (
    NOTHING,
    ClientPacket,
    PacketInvalid,
    PacketKind,
    event,
    read_json,
    write_json,
)
from trunkline.live.socketio.engine_io import counted, length

(DISCONNECT, CONNECT, HEARTBEAT, MESSAGE, JSON, EVENT, ACK, ERROR, NOOP) = "012345678"
TRANSPORTS = ("websocket", "xhr-polling")
UNAUTHORIZED = "2"

_MARK = "\ufffd"
_PACKET = re.compile(r"([0-8]):([0-9]{0,20})(\+?):([^:]*)(?::(.*))?", re.DOTALL)
_HEAD = re.compile(f"{_MARK}([0-9]{{1,10}}){_MARK}")


class Packet(msgspec.Struct, frozen=True):
    """A packet; ``id`` is digits or "", ``data`` the text behind the third colon or "" for none."""

    type: str
    id: str = ""
    asks: bool = False
    endpoint: str = ""
    data: str = ""


def handshake(sid: str, heartbeat: float, close: float) -> str:
    """``<sid>:<seconds>:<seconds>:<transports>``: both time-outs are the client's."""
    return f"{sid}:{heartbeat:.0f}:{close:.0f}:{','.join(TRANSPORTS)}"


def encode(packet: Packet) -> str:
    head = f"{packet.type}:{packet.id}{'+' if packet.asks else ''}:{packet.endpoint}"
    return f"{head}:{packet.data}" if packet.data else head


def decode(text: str) -> Packet:
    """Read a packet's frame, its data unread; raises PacketInvalid."""
    found = _PACKET.fullmatch(text)
    if not found:
        raise PacketInvalid
    kind, number, asks, endpoint, data = found.groups()
    return Packet(kind, number, bool(asks), endpoint, data or "")


def client_packet(text: str) -> ClientPacket:
    packet = decode(text)
    namespace = packet.endpoint.partition("?")[0] or "/"
    match packet.type:
        case "0":
            return ClientPacket(
                PacketKind.DISCONNECT if packet.endpoint else PacketKind.CLOSE, namespace
            )
        case "1":
            return ClientPacket(PacketKind.CONNECT, namespace)
        case "2":
            return ClientPacket(PacketKind.PONG)
        case "5":
            return _event(packet, namespace)
        case "6" | "7" | "8":
            return NOTHING
    raise PacketInvalid("invalid packet: only events are supported")


def emit(name: str, value: Any) -> str:
    return encode(Packet(EVENT, data=write_json({"name": name, "args": [value]})))


def acknowledge(number: str, value: Any) -> str:
    return encode(Packet(ACK, data=f"{number}+{write_json([value])}"))


def payload(packets: Sequence[str]) -> str:
    """Several packets as one body; one stands by itself."""
    if len(packets) == 1:
        return packets[0]
    return "".join(f"{_MARK}{length(packet)}{_MARK}{packet}" for packet in packets)


def packets(body: str) -> list[str]:
    """The packets in a body; raises PacketInvalid."""
    return counted(_HEAD, body) if body.startswith(_MARK) else [body]


def _event(packet: Packet, namespace: str) -> ClientPacket:
    given = read_json(packet.data)
    if not isinstance(given, dict):
        raise PacketInvalid
    return event(namespace, given.get("name"), given.get("args", []), packet.id or None)

"""Socket.IO's packets, protocol revisions 4 and 5 (socket.io-protocol): clients 1 to 4. Pure.

``<type>[<namespace>,][<acknowledgement number>][<JSON>]``; each travels in an Engine.IO message.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from trunkline.live.socketio.client_packet import (
    BINARY,
    NOTHING,
    ClientPacket,
    PacketInvalid,
    PacketKind,
    event,
    read_json,
    write_json,
)

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = (
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
)
ROOT = "/"

_PACKET = re.compile(r"([0-6])(?:(/[^,]*)(?:,|\Z))?([0-9]{0,20})(.*)", re.DOTALL)


class Packet(msgspec.Struct, frozen=True):
    """A packet; ``data`` is JSON as it stands on the wire, "" for none, ``id`` digits or ""."""

    type: str
    namespace: str = ROOT
    id: str = ""
    data: str = ""


def encode(packet: Packet) -> str:
    namespace = "" if packet.namespace == ROOT else f"{packet.namespace},"
    return f"{packet.type}{namespace}{packet.id}{packet.data}"


def decode(text: str) -> Packet:
    """Read a packet's frame, its JSON unread; raises PacketInvalid."""
    found = _PACKET.fullmatch(text)
    if not found:
        raise PacketInvalid
    kind, namespace, number, data = found.groups()
    return Packet(kind, namespace or ROOT, number, data)


def client_packet(text: str) -> ClientPacket:
    packet = decode(text)
    namespace = packet.namespace.partition("?")[0]  # client 2 puts its query there
    match packet.type:
        case "0":
            return ClientPacket(PacketKind.CONNECT, namespace)
        case "1":
            return ClientPacket(PacketKind.DISCONNECT, namespace)
        case "2":
            return _event(packet)
        case "3":
            return NOTHING  # we ask for no acknowledgements
        case "5" | "6":
            raise PacketInvalid(BINARY)
    raise PacketInvalid


def emit(name: str, value: Any) -> str:
    return encode(Packet(EVENT, data=write_json([name, value])))


def acknowledge(number: str, value: Any) -> str:
    return encode(Packet(ACK, id=number, data=write_json([value])))


def _event(packet: Packet) -> ClientPacket:
    parts = read_json(packet.data)
    if not isinstance(parts, list) or not parts:
        raise PacketInvalid
    return event(packet.namespace, parts[0], parts[1:], packet.id or None)

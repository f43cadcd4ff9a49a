"""A packet from a Socket.IO client, whatever its revision: one small set of values. Pure."""

from __future__ import annotations

import enum
import json
from typing import Any

import msgspec

INVALID = "invalid packet"
BINARY = "invalid packet: only text events are supported"


class PacketInvalid(ValueError):
    """A packet that cannot be read; the message is for the client and repeats nothing of it."""

    def __init__(self, message: str = INVALID) -> None:
        super().__init__(message)


class PacketKind(enum.Enum):
    PING = enum.auto()
    PONG = enum.auto()
    CLOSE = enum.auto()
    UPGRADE = enum.auto()
    CONNECT = enum.auto()
    DISCONNECT = enum.auto()
    EVENT = enum.auto()
    NOTHING = enum.auto()


class ClientPacket(msgspec.Struct, frozen=True):
    """One packet from a client.

    ``namespace`` is "/" for the only one that exists. ``ack`` is the number under which the client
    wants an acknowledgement (None: it wants none), ``data`` what a ping carries.
    """

    kind: PacketKind
    namespace: str = "/"
    name: str = ""
    args: tuple[Any, ...] = ()
    ack: str | None = None
    data: str = ""


NOTHING = ClientPacket(PacketKind.NOTHING)


def event(namespace: str, name: object, args: object, ack: str | None) -> ClientPacket:
    """An event as a client sent it; raises PacketInvalid unless it has a name and a list."""
    if not isinstance(name, str) or not isinstance(args, list):
        raise PacketInvalid
    return ClientPacket(PacketKind.EVENT, namespace, name, tuple(args), ack)


def read_json(text: str) -> Any:
    """Parsed JSON; raises PacketInvalid.

    The standard library's parser takes the lone surrogates that JavaScript may escape.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise PacketInvalid from None


def write_json(value: Any) -> str:
    """JSON in ASCII: what a client said can stand in it, lone surrogates and all."""
    return json.dumps(value, separators=(",", ":"))

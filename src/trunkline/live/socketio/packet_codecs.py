"""How packets are written and read, in each revision of Socket.IO: one codec for each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from trunkline.live.hub.wire import Encoding
from trunkline.live.socketio import engine_io
from trunkline.live.socketio import packets as socket_io_packets
from trunkline.live.socketio import packets_09 as socket_io_09
from trunkline.live.socketio.client_packet import (
    NOTHING,
    ClientPacket,
    PacketInvalid,
    PacketKind,
    write_json,
)


class Codec(Protocol):
    """Writes and reads the packets of one revision."""

    ws: Encoding
    """The form of events on its WebSocket."""
    packet: Encoding
    """Their form in a long poll."""
    beat: str
    """The server's heartbeat."""
    idle: str
    """The packet that answers a poll when there is no other."""
    last: tuple[str, ...]
    """The packets that end a poller's session so that it comes back by itself."""

    def client_packet(self, packet: str) -> ClientPacket:
        """Read a client's packet; raises PacketInvalid."""

    def emit(self, name: str, value: Any) -> str:
        """An event of our own."""

    def acknowledge(self, number: str, value: Any) -> str:
        """The answer to the client's event with this number."""

    def joined(self, name: str) -> str:
        """Welcome to the one namespace; ``name`` is the client's public id."""

    def refused(self, namespace: str, message: str) -> str:
        """No such namespace, or not yet in it."""

    def payload(self, packets: Sequence[str]) -> str:
        """Packets as one body."""

    def packets(self, body: str) -> list[str]:
        """The packets in a body; raises PacketInvalid."""


class EngineIOCodec:
    """Socket.IO 1 and 2 (Engine.IO 3) or 3 and 4 (Engine.IO 4)."""

    ws, packet = Encoding.SIO_WS, Encoding.SIO_PACKET
    beat, idle = engine_io.PING, engine_io.NOOP
    last: tuple[str, ...] = (engine_io.CLOSE,)

    def __init__(self, version: int) -> None:
        self.version = version

    def client_packet(self, packet: str) -> ClientPacket:
        kind, data = engine_io.split(packet)
        match kind:
            case "1":
                return ClientPacket(PacketKind.CLOSE)
            case "2":
                return ClientPacket(PacketKind.PING, data=data)
            case "3":
                return ClientPacket(PacketKind.PONG)
            case "4":
                return socket_io_packets.client_packet(data)
            case "5":
                return ClientPacket(PacketKind.UPGRADE)
            case "6":
                return NOTHING
        raise PacketInvalid

    def emit(self, name: str, value: Any) -> str:
        """``42["NAME",{…}]``."""
        return engine_io.MESSAGE + socket_io_packets.emit(name, value)

    def acknowledge(self, number: str, value: Any) -> str:
        """``43<number>[{…}]``."""
        return engine_io.MESSAGE + socket_io_packets.acknowledge(number, value)

    def joined(self, name: str) -> str:
        """``40{"sid":…}``; revision 3 knows no data there."""
        return "40" if self.version == 3 else f"40{write_json({'sid': name})}"

    def refused(self, namespace: str, message: str) -> str:
        """``44/namespace,{"message":…}``; in revision 3 the message alone."""
        data = write_json(message if self.version == 3 else {"message": message})
        packet = socket_io_packets.Packet(socket_io_packets.CONNECT_ERROR, namespace, data=data)
        return engine_io.MESSAGE + socket_io_packets.encode(packet)

    def payload(self, packets: Sequence[str]) -> str:
        return engine_io.payload(self.version, packets)

    def packets(self, body: str) -> list[str]:
        return engine_io.packets(self.version, body)


class SocketIO09Codec:
    """Socket.IO 0.9."""

    ws, packet = Encoding.SIO09_WS, Encoding.SIO09_PACKET
    beat, idle = "2::", "8::"
    # The next poll's 404 makes the client come back; a disconnect packet would not.
    last: tuple[str, ...] = ()

    def client_packet(self, packet: str) -> ClientPacket:
        return socket_io_09.client_packet(packet)

    def emit(self, name: str, value: Any) -> str:
        """``5:::{"name":NAME,"args":[{…}]}``."""
        return socket_io_09.emit(name, value)

    def acknowledge(self, number: str, value: Any) -> str:
        """``6:::<number>+[{…}]``."""
        return socket_io_09.acknowledge(number, value)

    def joined(self, name: str) -> str:
        """``1::``; the public id is not told."""
        del name
        return "1::"

    def refused(self, namespace: str, message: str) -> str:
        """``7::/namespace:2`` (unauthorized), which the client knows as ``connect_failed``."""
        del message
        error = socket_io_09.Packet(
            socket_io_09.ERROR, endpoint=namespace, data=socket_io_09.UNAUTHORIZED
        )
        return socket_io_09.encode(error)

    def payload(self, packets: Sequence[str]) -> str:
        return socket_io_09.payload(packets)

    def packets(self, body: str) -> list[str]:
        return socket_io_09.packets(body)


ENGINE_IO: dict[int, EngineIOCodec] = {3: EngineIOCodec(3), 4: EngineIOCodec(4)}
SOCKET_IO_09 = SocketIO09Codec()

"""A bad network between a scripted party and the server, and the RTCP of a phone that tells of it."""

from __future__ import annotations

import asyncio
import random
import secrets
import struct
import time
from typing import Any

from .party import Call

_RR, _SR = 201, 200


class LossyWay:
    """What a party says on a call, of which every ``nth`` packet is lost; made in place of its socket."""

    def __init__(self, call: Call, nth: int) -> None:
        self._through: Any = call.voice._transport
        self._nth, self._count = nth, 0
        self.lost = 0
        call.voice._transport = self  # type: ignore[assignment]

    def sendto(self, data: bytes, to: tuple[str, int]) -> None:
        self._count += 1
        if self._count % self._nth:
            self._through.sendto(data, to)
        else:
            self.lost += 1

    def close(self) -> None:
        self._through.close()


class UnevenWay:
    """What a party says on a call, each packet late by up to ``most`` seconds, so that they overtake each other."""

    def __init__(self, call: Call, most: float) -> None:
        self._through: Any = call.voice._transport
        self._most = most
        self._random = random.Random(7)
        call.voice._transport = self  # type: ignore[assignment]

    def sendto(self, data: bytes, to: tuple[str, int]) -> None:
        late = self._random.uniform(0, self._most)
        asyncio.get_running_loop().call_later(late, self._through.sendto, data, to)

    def close(self) -> None:
        self._through.close()


class Reports(asyncio.DatagramProtocol):
    """A phone's RTCP, beside its audio: what it says of what it has heard, once a second.

    ``loss`` is the share of packets that it says were lost, ``jitter`` their jitter in seconds.
    """

    def __init__(self, call: Call, loss: float, jitter: float) -> None:
        self._call, self._loss, self._jitter = call, loss, jitter
        self._heard_sr: tuple[int, int, float] | None = None
        self._telling: asyncio.Task[None] | None = None
        self.heard: int = 0
        """The server's reports that came."""

    @classmethod
    async def of(cls, call: Call, loss: float = 0, jitter: float = 0) -> Reports:
        """Begin to report."""
        loop = asyncio.get_running_loop()
        where = (call.party.address, call.voice.port + 1)
        _, made = await loop.create_datagram_endpoint(
            lambda: cls(call, loss, jitter), local_addr=where
        )
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard += 1
        if data[1] == _SR:
            source, high, low = struct.unpack("!III", data[4:16])
            self._heard_sr = source, (high & 0xFFFF) << 16 | low >> 16, time.monotonic()
            self._telling = self._telling or asyncio.create_task(self._tell(addr))

    async def _tell(self, to: Any) -> None:
        ours = secrets.randbits(32)
        while not self._call.over_at:
            assert self._heard_sr
            source, sent_at, came = self._heard_sr
            heard = len(self._call.voice.came)
            lost = round(heard * self._loss)
            said = (
                ours,
                source,
                int(self._loss * 256) << 24 | lost,
                heard + lost,
                int(self._jitter * 8000),
                sent_at,
                int((time.monotonic() - came) * 65536),
            )
            self._transport.sendto(struct.pack("!BBHIIIIIII", 0x81, _RR, 7, *said), to)
            await asyncio.sleep(1)
        self._transport.close()

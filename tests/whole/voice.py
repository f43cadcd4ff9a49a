"""What one party says and hears in one call: RTP with G.711 mu-law, a tone of its own."""

from __future__ import annotations

import asyncio
import io
import secrets
import struct
import time
from collections.abc import Sequence

import msgspec
import soundfile  # type: ignore[import-untyped]

from . import tones
from .waiting import until

STEP = 0.02
SIZE = 160
PCMU = 0
NOTHING = b"\xff" * SIZE
"""Silence in mu-law."""


class Span(msgspec.Struct, frozen=True):
    """A tone in Hz (0: silence, or nothing at all came), from when to when (monotonic seconds)."""

    tone: float
    begin: float
    end: float


class Voice(asyncio.DatagramProtocol):
    """A socket for one call's sound. It says ``tone`` while ``speaking``, and keeps what comes."""

    def __init__(self, tone: int) -> None:
        sound = tones.ulaw(tone, 1)
        self._said = [sound[at : at + SIZE] for at in range(0, len(sound), SIZE)]
        self.speaking, self.muted = True, False
        self.first = 0
        """What is added to the sequence numbers of packets."""
        self.came: list[tuple[float, bytes]] = []
        """Each packet of sound: when it came, and what was in it."""
        self.sent, self.late = 0, 0.0
        """Packets so far, and by how many seconds the latest of them was late."""
        self._to: tuple[str, int] | None = None
        self._talking: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, address: str, tone: int) -> Voice:
        """A voice with a free port at an address; it says nothing before ``talk_to``."""
        loop = asyncio.get_running_loop()
        _, voice = await loop.create_datagram_endpoint(lambda: cls(tone), local_addr=(address, 0))
        return voice

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]
        self.port = int(transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: object) -> None:
        if len(data) > 12 and data[1] & 0x7F == PCMU:
            self.came.append((time.monotonic(), data[12:]))

    def talk_to(self, host: str, port: int, formats: object = ()) -> None:
        """Say the tone to that host and port from now on, in mu-law whatever the formats are."""
        self._to = (host, port) if port else None
        if self._talking is None:
            self._talking = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        source, begin = secrets.randbits(32), time.monotonic()
        for count in range(1 << 30):
            self.late = max(self.late, time.monotonic() - begin - count * STEP)
            if self.speaking and self._to:
                head = struct.pack(
                    "!BBHII",
                    0x80,
                    PCMU,
                    self.sent + self.first & 0xFFFF,
                    count * SIZE & 0xFFFFFFFF,
                    source,
                )
                said = NOTHING if self.muted else self._said[count % len(self._said)]
                self._transport.sendto(head + said, self._to)
                self.sent += 1
            await asyncio.sleep(max(0.0, begin + (count + 1) * STEP - time.monotonic()))

    def close(self) -> None:
        """Say and hear nothing more; what was heard is kept."""
        if self._talking:
            self._talking.cancel()
        self._transport.close()

    def heard(self, begin: float = 0, window: float = 0.2) -> list[Span]:
        """What came since ``begin``, as spans of one tone each; a pause of packets is silence."""
        spans: list[Span] = []
        for part in _windows([each for each in self.came if each[0] >= begin], window):
            tone, start, end = _tone(part), part[0][0], part[-1][0] + STEP
            last = spans[-1] if spans else None
            if last and start - last.end > window:
                spans.append(Span(0, last.end, start))
                last = None
            if last and abs(last.tone - tone) <= 8:
                spans[-1] = Span(last.tone, last.begin, end)
            else:
                spans.append(Span(tone, start, end))
        return spans

    def seconds_of(self, tone: float, begin: float = 0) -> float:
        """For how long that tone was heard."""
        return sum(s.end - s.begin for s in self.heard(begin) if abs(s.tone - tone) <= 8)

    async def hears(self, tone: float, seconds: float = 0.4, timeout: float = 20) -> None:
        """Wait until that tone (0: silence) has been heard for that long from now on."""
        begin = time.monotonic()

        def enough() -> bool:
            if tone:
                return self.seconds_of(tone, begin) >= seconds
            loud = [span.end for span in self.heard(begin) if span.tone]
            return time.monotonic() - max([begin, *loud]) >= seconds

        what = f"{seconds:g} s of {tone:g} Hz" if tone else f"{seconds:g} s of silence"
        await until(enough, what, timeout, every=0.1)


def _windows(
    packets: Sequence[tuple[float, bytes]], window: float
) -> list[Sequence[tuple[float, bytes]]]:
    """Packets in groups that are about ``window`` long and have no pause in them."""
    groups: list[list[tuple[float, bytes]]] = []
    for packet in packets:
        group = groups[-1] if groups else []
        whole = not group or len(group) >= window / STEP or packet[0] - group[-1][0] > window
        if whole:
            groups.append([packet])
        else:
            group.append(packet)
    return list(groups)


def _tone(packets: Sequence[tuple[float, bytes]]) -> float:
    raw = io.BytesIO(b"".join(payload for _, payload in packets))
    data, rate = soundfile.read(
        raw, format="RAW", subtype="ULAW", samplerate=tones.RATE, channels=1, dtype="float64"
    )
    return tones.dominant(data, rate)

"""A voice that sends exactly known RTP and keeps every packet that comes, with the kernel's time of it."""

from __future__ import annotations

import asyncio
import math
import random
import secrets
import socket
import struct
import time

import msgspec

from .codecs import PCMU, STEP, Codec, Formats, offered
from .script import Frame, Script, frames, silence

_SO_TIMESTAMPNS = 35
_BUFFER = 1 << 20


class Network(msgspec.Struct, frozen=True):
    """What happens to packets on their way: the share that is lost, or comes twice, and up to how many seconds one is delayed."""

    loss: float = 0
    jitter: float = 0
    twice: float = 0
    seed: int = 0


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A packet as it was to be sent at ``due`` and was at ``at`` (unix seconds; None: it was lost)."""

    due: float
    at: float | None


class Packet(msgspec.Struct, frozen=True, gc=False):
    """A packet that came at ``at``: unix seconds, by the kernel."""

    at: float
    codec: Codec
    sequence: int
    stamp: int
    source: int
    payload: bytes


class Said(msgspec.Struct):
    """A script that was begun at ``begin`` (unix seconds), by ``voice``; ``wide`` if more than 4 kHz of it went out."""

    script: Script
    begin: float
    voice: ExactVoice
    wide: bool

    def went(self, offset: float, seconds: float) -> tuple[float, float]:
        """When what stands there in the script was said, and when it was sent on the average of its packets (unix seconds).

        Between the two lies what the network, or a busy machine, has kept it back.
        """
        first, last = self.begin + offset - STEP / 2, self.begin + offset + seconds - STEP / 2
        late = [
            one.at - one.due
            for one in self.voice.sent
            if first <= one.due < last and one.at is not None
        ]
        due = self.begin + offset
        return due, due + (sum(late) / len(late) if late else 0)


class ExactVoice:
    """A socket for one call's sound, as ``Voice`` is. It sends silence while it has nothing to ``say``."""

    def __init__(self, address: str, network: Network) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind((address, 0))
        self.port = int(self._socket.getsockname()[1])
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        self.network = network
        self.speaking, self.muted = True, False
        self.together = 1
        """How many times 20 ms go into a packet (G.711 and G.722: what is coded one by one can be put together)."""
        self.stamps_go_on = True
        """Do time stamps tell of time in which nothing was sent? Some phones' do not."""
        self.stamps_by = 1.0
        """By how many times its clock the time stamps are counted: 1, where a phone does it right."""
        self.came: list[Packet] = []
        self.changes: list[float] = []
        """When it was told to speak another codec (unix seconds)."""
        self.odd: list[int] = []
        """Payload types that came and that nobody has agreed on."""
        self.sent: list[Sent] = []
        self.late = 0.0
        """By how many seconds the latest packet of a script was late, but for what the network did to it."""
        self._random = random.Random(network.seed)
        self._formats: Formats = offered([PCMU])
        self._known: dict[int, Codec] = {}
        self._to: tuple[str, int] | None = None
        self._talking: asyncio.Task[None] | None = None
        self._saying: list[tuple[Script, int]] = []
        self._begun = self._begun_unix = self._stalled = 0.0
        self._complete, self._size = 0, 1
        self._restart()

    # ---- What a call asks of its voice ------------------------------------------------------------

    def talk_to(self, host: str, port: int, formats: Formats = ()) -> None:
        """Send to that host and port from now on, in the first of these formats; all of them may come."""
        self._to = (host, port) if port else None
        if formats:
            if self._talking and formats[0][1] != self.codec:
                self.changes.append(time.time())
            self._formats = formats
            self._known |= dict(formats)
        if self._talking is None:
            self._begun, self._begun_unix = time.monotonic(), time.time()
            self._talking = asyncio.create_task(self._talk())

    def close(self) -> None:
        """Say and hear nothing more; what was heard is kept."""
        if self._talking:
            self._talking.cancel()
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    # ---- What a test does -------------------------------------------------------------------------

    @property
    def codec(self) -> Codec:
        """In which it speaks now."""
        return self._formats[0][1]

    def say(self, script: Script, at: float = 0) -> Said:
        """Say that, from ``at`` (unix seconds, or now) on, to the next 20 ms."""
        frames(script, self.codec)
        tick = math.ceil((max(at, time.time() + 0.01) - self._begun_unix) / STEP)
        self._saying.append((script, tick))
        wide = bool(script.high) and self.codec.wide
        return Said(script, self._begun_unix + tick * STEP, self, wide)

    def new_source(self) -> None:
        """Go on as somebody else: numbers, stamps and source begin anywhere, as phones do that start their audio again."""
        self._restart()

    def stall(self, seconds: float) -> None:
        """The network lets nothing through for so long, and then everything at once."""
        self._stalled = time.monotonic() + seconds

    # ---- Inside -----------------------------------------------------------------------------------

    def _restart(self) -> None:
        self._sequence, self._stamp = secrets.randbits(15), secrets.randbits(31)
        self._source = secrets.randbits(32)

    async def _talk(self) -> None:
        clock, quiet = 0, True
        for tick in range(1 << 30):
            due = self._begun + tick * STEP
            if any(first <= tick < first + one.seconds / STEP for one, first in self._saying):
                self.late = max(self.late, time.monotonic() - due)
            number, codec = self._formats[0]
            if clock not in (0, codec.clock):  # RFC 7160: a clock of its own is a source of its own
                self._restart()
            clock = codec.clock
            frame = self._packet(tick, codec) if self.speaking and self._to else None
            if frame and frame.payload:
                self._sequence += 1
                kind = (frame.type if frame.type >= 0 else number) | (128 if quiet else 0)
                numbers = self._sequence & 0xFFFF, self._stamp & 0xFFFFFFFF, self._source
                head = struct.pack("!BBHII", 0x80, kind, *numbers)
                self._send(head + frame.payload, self._begun_unix + tick * STEP)
            quiet = frame is None or frame.type >= 0
            if frame or self.stamps_go_on:
                self._stamp += round(clock * STEP * self.stamps_by)
            await asyncio.sleep(max(0.0, due + STEP - time.monotonic()))

    def _packet(self, tick: int, codec: Codec) -> Frame | None:
        """What is sent then; without payload, it went with the one before."""
        if tick >= self._complete:
            self._complete = tick + self.together
            self._size = self.together
        first = self._frame(tick, codec)
        if self._size == 1 or first is None or first.type >= 0:
            return first
        if tick != self._complete - self._size:
            return Frame(b"")
        more = [self._frame(tick + later, codec) for later in range(1, self._size)]
        return Frame(first.payload + b"".join(one.payload for one in more if one))

    def _frame(self, tick: int, codec: Codec) -> Frame | None:
        for script, first in reversed(self._saying):
            if 0 <= tick - first < len(made := frames(script, codec)):
                return made[tick - first]
        return silence(codec)

    def _send(self, packet: bytes, due: float) -> None:
        if self.network.loss and self._random.random() < self.network.loss:
            self.sent.append(Sent(due, None))
            return
        delay = self._random.uniform(0, self.network.jitter)
        delay = max(delay, self._stalled - time.monotonic())
        for _ in range(2 if self._random.random() < self.network.twice else 1):
            if delay > 0:
                asyncio.get_running_loop().call_later(delay, self._put, packet, due)
            else:
                self._put(packet, due)

    def _put(self, packet: bytes, due: float) -> None:
        if self._to and self._socket.fileno() >= 0:
            self.sent.append(Sent(due, time.time()))
            self._socket.sendto(packet, self._to)

    def _read(self) -> None:
        while True:
            try:
                data, more, _, _ = self._socket.recvmsg(2048, 64)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if len(data) <= 12 or data[0] & 0xC0 != 0x80:
                continue
            _, kind, sequence, stamp, source = struct.unpack("!BBHII", data[:12])
            codec = self._known.get(kind & 0x7F)
            if codec is None:
                self.odd.append(kind & 0x7F)
                continue
            seconds, nanoseconds = struct.unpack("qq", more[0][2])
            at = seconds + nanoseconds / 1e9
            self.came.append(Packet(at, codec, sequence, stamp, source, data[12:]))

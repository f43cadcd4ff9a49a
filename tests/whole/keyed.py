"""A scripted party with keys: it presses digits as phones do, and hears them as carriers do.

What it speaks, whether it has telephone-event (RFC 4733), and how it holds, are set for the calls that follow.
"""

from __future__ import annotations

import asyncio
import io
import re
import secrets
import struct
import time
from collections import deque
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from . import tones
from .party import Call, Party
from .sip_message import parsed
from .stage import Stage
from .voice import SIZE, STEP, Voice
from .waiting import until

EVENTS = 101
"""The payload type of telephone-event that we offer; whoever offers to us has one of their own."""
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"
PAIRS = {key: (LOW[at // 4], HIGH[at % 4]) for at, key in enumerate(KEYS)}
CODECS = {"PCMU": (0, "ULAW"), "PCMA": (8, "ALAW")}


class Digit(msgspec.Struct, frozen=True):
    """A digit that was heard, from when on (monotonic) and for how long (seconds)."""

    key: str
    begin: float
    seconds: float


class KeyedVoice(Voice):
    """One call's sound in mu-law or A-law, with digits both ways."""

    def __init__(self, tone: int, codec: str = "PCMU", first: int | None = None) -> None:
        super().__init__(tone)
        self.codec, self.events = codec, EVENTS
        self.first = secrets.randbits(15) if first is None else first
        """The RTP sequence number that it begins with."""
        sound = self._encoded(tones.samples(tone, 1))
        self._said = [sound[at : at + SIZE] for at in range(0, len(sound), SIZE)]
        self._instead: deque[tuple[int, bool, int, bytes]] = deque()
        """What is sent instead of the tone: payload type, marker, how many packets old it is, payload."""
        self.events_came: list[tuple[float, int, bytes]] = []
        """telephone-event: when, the timestamp, and the payload."""
        self.last_came = 0.0

    def _encoded(self, samples: NDArray[np.int16]) -> bytes:
        out, pcm = io.BytesIO(), samples.astype(np.float64) / 32768
        soundfile.write(out, pcm, tones.RATE, format="RAW", subtype=CODECS[self.codec][1])
        return out.getvalue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if len(data) <= 12:
            return
        kind, stamp = data[1] & 0x7F, int.from_bytes(data[4:8], "big")
        if kind == CODECS[self.codec][0]:
            payload = data[12:]
            if self.codec == "PCMA":  # what listens knows mu-law
                payload = _ulaw(payload)
            self.came.append((time.monotonic(), payload))
        elif kind == self.events:
            self.events_came.append((time.monotonic(), stamp, data[12:]))

    def talk_to(self, host: str, port: int, formats: object = ()) -> None:
        super().talk_to(host, port)

    async def _talk(self) -> None:
        source, begin, count = secrets.randbits(32), time.monotonic(), 0
        while True:
            if self.speaking and self._to:
                said = self._said[count % len(self._said)]
                kind, marked, age = CODECS[self.codec][0], False, 0
                if self._instead:
                    kind, marked, age, said = self._instead.popleft()
                head = struct.pack(
                    "!BBHII",
                    0x80,
                    kind | (0x80 if marked else 0),
                    (self.first + count) & 0xFFFF,
                    (count - age) * SIZE & 0xFFFFFFFF,
                    source,
                )
                self._transport.sendto(head + said, self._to)
                self.sent += 1
            count += 1
            await asyncio.sleep(max(0.0, begin + count * STEP - time.monotonic()))

    def press(self, key: str, seconds: float = 0.1) -> None:
        """An RFC 4733 event: its end three times, as phones send it."""
        steps, code = round(seconds / STEP), "0123456789*#ABCD".index(key)
        for at in range(1, steps + 1):
            self._instead.append((self.events, at == 1, at - 1, _event(code, at, False)))
        for again in range(3):
            self._instead.append((self.events, False, steps + again, _event(code, steps, True)))

    def play(self, key: str, seconds: float = 0.1) -> None:
        """The same as a tone."""
        low, high = PAIRS[key]
        both = tones.samples(low, seconds, 0.25) + tones.samples(high, seconds, 0.25)
        sound = self._encoded(both)
        for at in range(0, len(sound), SIZE):
            self._instead.append((CODECS[self.codec][0], False, 0, sound[at : at + SIZE]))

    async def quiet(self) -> None:
        """Wait until all of that has been sent."""
        await until(lambda: not self._instead, "the end of what is said", every=STEP)

    def digits(self, begin: float = 0, shortest: float = 0.04) -> list[Digit]:
        """The tones that came as digits, each at least that long: 40 ms is what a detector takes (Q.24)."""
        found: list[Digit] = []
        last, start, end = "", 0.0, 0.0
        for at, payload in [*(each for each in self.came if each[0] >= begin), (0.0, b"")]:
            key = _key(payload)
            if key != last:
                if last and end - start >= shortest - 0.001:
                    found.append(Digit(last, start, end - start))
                last, start, end = key, at, at
            end += STEP
        return found

    def pressed(self, begin: float = 0) -> str:
        """The digits that came as events, once each."""
        stamps: dict[int, str] = {}
        for at, stamp, payload in self.events_came:
            if at >= begin:
                stamps.setdefault(stamp, "0123456789*#ABCD"[payload[0]])
        return "".join(stamps.values())

    def gap(self, begin: float, end: float | None = None) -> float:
        """The longest time without a packet of sound."""
        times = [at for at, _ in self.came if at >= begin and (end is None or at <= end)]
        times = [begin, *times, end if end is not None else time.monotonic()]
        return max(b - a for a, b in pairwise(times))


def _event(code: int, steps: int, over: bool) -> bytes:
    return struct.pack("!BBH", code, (0x80 if over else 0) | 10, steps * SIZE)


def _ulaw(payload: bytes) -> bytes:
    raw = io.BytesIO(payload)
    data, rate = soundfile.read(
        raw, format="RAW", subtype="ALAW", samplerate=tones.RATE, channels=1, dtype="float64"
    )
    out = io.BytesIO()
    soundfile.write(out, data, rate, format="RAW", subtype="ULAW")
    return out.getvalue()


def _key(payload: bytes) -> str:
    """The digit whose two frequencies are nearly all that is in a packet; empty for none."""
    if len(payload) != SIZE:
        return ""
    data, rate = soundfile.read(
        io.BytesIO(payload),
        format="RAW",
        subtype="ULAW",
        samplerate=tones.RATE,
        channels=1,
        dtype="float64",
    )
    whole = float(np.mean(data**2))
    if whole < 1e-5:
        return ""
    at = np.arange(len(data)) / rate
    power = {
        hertz: float(abs(np.mean(data * np.exp(-2j * np.pi * hertz * at))) ** 2 * 2)
        for hertz in (*LOW, *HIGH)
    }
    low, high = max(LOW, key=power.__getitem__), max(HIGH, key=power.__getitem__)
    if power[low] + power[high] < 0.7 * whole or min(power[low], power[high]) < 0.1 * whole:
        return ""
    return next(key for key, pair in PAIRS.items() if pair == (low, high))


class KeyedParty(Party):
    """One whose SDP is rewritten on its way out."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.anew()

    def anew(self) -> None:
        """As a phone is that nothing was set of: mu-law, and telephone-event."""
        self.codec, self.has_events = "PCMU", True
        self.hold_by = "sendonly"
        """How it holds: ``sendonly``, ``inactive``, or ``0.0.0.0`` (RFC 2543)."""
        self.first: int | None = None

    async def _voice(self, call: Call) -> KeyedVoice:
        loop = asyncio.get_running_loop()
        _, voice = await loop.create_datagram_endpoint(
            lambda: KeyedVoice(call.tone, self.codec, self.first), local_addr=(self.address, 0)
        )
        return voice

    def datagram_received(self, data: bytes, addr: object) -> None:
        super().datagram_received(data, addr)

    def _send(self, data: bytes) -> None:
        message = parsed(data)
        if message is not None and "m=audio" in message.body:
            call = next((one for one in self.calls if one.id == message["Call-ID"]), None)
            held = bool(call and call.held_by_us)
            body = self._own(message.body, call, held)
            kept = tuple(each for each in message.fields if each[0] != "Content-Length")
            data = msgspec.structs.replace(message, fields=kept, body=body).encoded()
        super()._send(data)

    def _own(self, body: str, call: Call | None, held: bool) -> str:
        number, events = CODECS[self.codec][0], EVENTS
        if call and call.incoming and call.invite:  # an answer takes the offer's numbers
            found = re.search(r"^a=rtpmap:(\d+) telephone-event", call.invite.body, re.M)
            events = int(found[1]) if found else EVENTS
            call.voice.events = events
        more = (
            f"a=rtpmap:{events} telephone-event/8000\r\na=fmtp:{events} 0-15\r\n"
            if self.has_events
            else ""
        )
        body = re.sub(
            r"RTP/AVP 0", f"RTP/AVP {number}{f' {events}' if self.has_events else ''}", body
        )
        body = re.sub(
            r"a=rtpmap:0 PCMU/8000\r\n", f"a=rtpmap:{number} {self.codec}/8000\r\n{more}", body
        )
        if held and self.hold_by == "inactive":
            body = body.replace("a=sendonly", "a=inactive")
        elif held and self.hold_by == "0.0.0.0":
            body = re.sub(r"c=IN IP4 \S+", "c=IN IP4 0.0.0.0", body).replace("a=sendonly\r\n", "")
        return body

    async def inform(self, call: Call, key: str, kind: str = "dtmf-relay") -> int:
        """A digit by SIP INFO; gives the answer's code."""
        body = f"Signal={key}\r\nDuration=160\r\n" if kind == "dtmf-relay" else key
        more = [("Content-Type", f"application/{kind}")]
        return (await self._ask(call, "INFO", more, body)).code


class KeyedStage(Stage):
    """Whose scripted parties have keys."""

    async def far_party(
        self, user: str = "", address: str = "", port: int = 0, **options: Any
    ) -> KeyedParty:
        from .ports import loopback

        address, port = address or loopback(), port or self.ports.one()
        party = await KeyedParty.open(self.server.sip, address, port, user or "carrier", **options)
        assert isinstance(party, KeyedParty)
        self._ends.push_async_callback(party.close)
        return party

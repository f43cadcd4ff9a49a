"""A party whose every message is the test's own: what SIPp and baresip would not send."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import struct
from collections.abc import Callable

from .ports import Ports, loopback

Refusal = Callable[[str], tuple[str, str]]
"""From an INVITE to a status line's end, and header fields that go with it."""


class ScriptedCarrier(asyncio.DatagramProtocol):
    """A carrier on UDP. It answers calls at once and sends no audio, or refuses them as it is told.

    ``invites`` are all that came, sent again or not; ``media`` is where the engine wants its audio.
    """

    def __init__(self, ports: Ports, refusal: Refusal | None = None) -> None:
        self.address, self.port, self._rtp = loopback(), ports.one(), ports.range(2)[0]
        self.host = f"{self.address}:{self.port}"
        self.invites: list[str] = []
        self.over = asyncio.Event()
        self.media: tuple[str, int] = ("", 0)
        self._refusal, self._tag = refusal, secrets.token_hex(4)

    async def ready(self) -> ScriptedCarrier:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(self.address, self.port)
        )
        return self

    def close(self) -> None:
        """Be gone."""
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace")
        method = text.partition(" ")[0]
        if method == "INVITE":
            self.invites.append(text)
            self._transport.sendto(self._invited(text), addr)
        elif method in ("OPTIONS", "BYE", "CANCEL"):
            self._transport.sendto(self._respond(text, "200 OK"), addr)
        if method == "BYE":
            self.over.set()

    def _invited(self, text: str) -> bytes:
        if self._refusal is not None:
            return self._respond(text, *self._refusal(text))
        host = re.search(r"^c=IN IP4 (\S+)", text, re.M)
        port = re.search(r"^m=audio (\d+)", text, re.M)
        assert host
        assert port
        self.media = (host[1], int(port[1]))
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {self.address}\r\ns=-\r\nc=IN IP4 {self.address}\r\nt=0 0\r\n"
            f"m=audio {self._rtp} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        return self._respond(text, "200 OK", "Content-Type: application/sdp\r\n", sdp)

    def _respond(self, request: str, status: str, more: str = "", body: str = "") -> bytes:
        kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):[^\r]*", request, re.M)
        tagged = [
            f"{line};tag={self._tag}" if line.startswith("To:") and "tag=" not in line else line
            for line in kept
        ]
        head = "\r\n".join([f"SIP/2.0 {status}", *tagged, f"Contact: <sip:{self.host}>"])
        return f"{head}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    async def report(self, seconds: float) -> None:
        """For so long, send nothing but RTCP: a receiver's report a second (RFC 3550, 6.4.2)."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp:
            rtcp.bind((self.address, self._rtp + 1))
            for number in range(int(seconds)):
                jitter = 8 + number % 5
                block = struct.pack("!IIIIII", 1, 0, number, jitter, 0, 0)
                head = struct.pack("!BBHI", 0x81, 201, 7, 0x5EC0)
                rtcp.sendto(head + block, (self.media[0], self.media[1] + 1))
                await asyncio.sleep(1)

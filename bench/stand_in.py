"""A SIP phone, or a carrier, of one UDP socket: it says when each INVITE came to the machine.

The time is the kernel's (SO_TIMESTAMPNS, socket(7)), so it does not wait for Python to wake.
"""

from __future__ import annotations

import heapq
import itertools
import re
import socket
import struct
import threading
import time
from collections.abc import Callable

SO_TIMESTAMPNS = 35
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class StandIn(threading.Thread):
    """Answers OPTIONS and BYE; INVITE with ``code`` at once.

    With code 200 it rings, picks up after ``ring`` seconds, and hangs up ``talk`` seconds later,
    if that is not None. ``invites`` maps the dialled user to the time (unix ns) of its last INVITE.
    """

    def __init__(
        self, host: str, port: int, code: int = 486, ring: float = 0.05, talk: float | None = None
    ) -> None:
        super().__init__(name=f"stand-in {port}", daemon=True)
        self.host, self.port, self.code, self.ring, self.talk = host, port, code, ring, talk
        self.arrived: list[int] = []
        self.news = threading.Condition()
        self.ended = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.bind((host, port))
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._seen: set[str] = set()
        self._running = True

    def run(self) -> None:
        """Until ``stop``."""
        while self._running:
            while self._later and self._later[0][0] <= time.monotonic():
                heapq.heappop(self._later)[2]()
            wait = self._later[0][0] - time.monotonic() if self._later else 0.2
            self._socket.settimeout(max(0.0005, min(0.2, wait)))
            try:
                data, ancillary, _, peer = self._socket.recvmsg(65_536, 256)
            except TimeoutError:
                continue
            self._take(data.decode(errors="replace"), _arrival(ancillary), peer)

    def stop(self) -> None:
        """End, and free the port."""
        self._running = False
        self.join()
        self._socket.close()

    def invite_after(self, count: int, timeout: float = 5) -> int:
        """The time of INVITE number ``count`` (from 0); raises TimeoutError."""
        with self.news:
            if not self.news.wait_for(lambda: len(self.arrived) > count, timeout):
                raise TimeoutError(f"no INVITE came to {self.host}:{self.port}")
            return self.arrived[count]

    def idle_after(self, count: int, timeout: float = 10) -> None:
        """Wait until ``count`` calls have ended."""
        with self.news:
            if not self.news.wait_for(lambda: self.ended >= count, timeout):
                raise TimeoutError(f"a call at {self.host}:{self.port} does not end")

    def _take(self, text: str, at: int, peer: tuple[str, int]) -> None:
        method = text.split(" ", 1)[0]
        if method == "INVITE":
            self._invited(text, at, peer)
        elif method in ("BYE", "OPTIONS", "CANCEL"):
            self._answer(text, peer, 200, "OK")
        if method in ("BYE",) or (method == "ACK" and self.code != 200):
            self._end()

    def _end(self) -> None:
        with self.news:
            self.ended += 1
            self.news.notify_all()

    def _invited(self, text: str, at: int, peer: tuple[str, int]) -> None:
        call_id = _header(text, "Call-ID")
        if call_id in self._seen:  # a retransmission, or a re-INVITE
            return
        self._seen.add(call_id)
        if self.code == 200:
            self._answer(text, peer, 180, "Ringing")
            self._after(self.ring, lambda: self._pick_up(text, peer))
        else:
            self._answer(text, peer, self.code, "No")
        with self.news:
            self.arrived.append(at)
            self.news.notify_all()

    def _pick_up(self, text: str, peer: tuple[str, int]) -> None:
        self._answer(text, peer, 200, "OK", _SDP.format(host=self.host, port=self.port + 1))
        if self.talk is not None:
            self._after(self.talk, lambda: self._hang_up(text, peer))

    def _hang_up(self, text: str, peer: tuple[str, int]) -> None:
        contact = re.search(r"<(sips?:[^>]*)>", _header(text, "Contact"))
        target = contact[1] if contact else f"sip:{peer[0]}:{peer[1]}"
        lines = [
            f"BYE {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{time.monotonic_ns()}",
            "Max-Forwards: 70",
            f"From: {_header(text, 'To')};tag=standin",
            f"To: {_header(text, 'From')}",
            f"Call-ID: {_header(text, 'Call-ID')}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
        ]
        self._send("\r\n".join(lines) + "\r\n\r\n", peer)
        self._end()

    def _answer(
        self, text: str, peer: tuple[str, int], code: int, reason: str, body: str = ""
    ) -> None:
        to = _header(text, "To")
        lines = [
            f"SIP/2.0 {code} {reason}",
            *(f"Via: {via}" for via in re.findall(r"(?im)^Via: *(.*?)\r?$", text)),
            f"From: {_header(text, 'From')}",
            f"To: {to if 'tag=' in to else to + ';tag=standin'}",
            f"Call-ID: {_header(text, 'Call-ID')}",
            f"CSeq: {_header(text, 'CSeq')}",
            f"Contact: <sip:{self.host}:{self.port}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._send("\r\n".join(lines) + "\r\n\r\n" + body, peer)

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), do))

    def _send(self, text: str, peer: tuple[str, int]) -> None:
        self._socket.sendto(text.encode(), peer)


def _header(text: str, name: str) -> str:
    found = re.search(rf"(?im)^{name}: *(.*?)\r?$", text)
    return found[1] if found else ""


def _arrival(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()

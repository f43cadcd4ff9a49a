"""Receives what Asterisk tells of SIP messages: a UDP socket on 127.0.0.1, with a password.

The port and the password are kept beside the engine, since a server that starts again adopts an
engine that goes on sending there. Nothing here is certain: a datagram that finds the socket full,
or no socket, is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import deque
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path

import msgspec
import structlog

from trunkline.engine.config.configuration import CaptureAddress, write_private
from trunkline.engine.listen import hep
from trunkline.sip.message import CapturedSip

log = structlog.get_logger()

MOST_WAITING, MOST_WAITING_BYTES = 20_000, 64 << 20
"""Limits for datagrams that wait to be parsed, and for their bytes: one may have 64 KB."""
_AT_ONCE = 16
_LOOKS_EVERY = 0.03
"""Seconds. The kernel's buffer holds some hundred datagrams."""
_MOST_AT_A_LOOK = 1000
_RECEIVE_BUFFER = 4 << 20
_LARGEST = 65_536
MODULES = ("res_hep", "res_hep_pjsip")
"""The modules that Asterisk needs for it."""


class SipCapture:
    """The socket, and the datagrams that came to it. ``open`` it while an event loop runs."""

    def __init__(self, home: Path) -> None:
        self._file = home / "sip_capture.json"
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._socket: socket.socket | None = None
        self.address: CaptureAddress | None = None
        """Where the engine is to send; None until it is open."""
        self.dropped = 0
        """Datagrams that came while too many waited."""

    def open(self) -> None:
        """Listen where the engine already sends or, where that fails, on a free port. Raises OSError."""
        kept = self._kept()
        password = kept.password if kept else secrets.token_hex(24)
        self._socket = _listening(kept.port if kept else 0)
        self.address = CaptureAddress(self._socket.getsockname()[1], password)
        if self.address != kept:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._file, msgspec.json.encode(self.address).decode())
        self._await_datagrams()

    def close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    async def messages(self) -> AsyncIterator[list[CapturedSip]]:
        """What Asterisk tells, a few messages at a time, for ever; anything else is left out."""
        while True:
            await self._some.wait()
            password = self.address.password.encode() if self.address else b""
            some = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            self._bytes -= sum(map(len, some))
            if not self._waiting:
                self._some.clear()
            yield [found for each in some if (found := hep.parse(each, password)) is not None]
            await asyncio.sleep(0)  # calls go first

    def _await_datagrams(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        """Read all that is there, but not again at once, since each look costs more than a datagram."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket.fileno())
        loop.call_later(_LOOKS_EVERY, self._await_datagrams)
        for _ in range(_MOST_AT_A_LOOK):
            try:
                datagram = self._socket.recv(_LARGEST)
            except OSError:
                return
            if len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_WAITING_BYTES:
                self.dropped += 1
                continue
            self._bytes += len(datagram)
            self._waiting.append(datagram)
            self._some.set()

    def _kept(self) -> CaptureAddress | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=CaptureAddress)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.setblocking(False)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    try:
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            # The engine goes on sending to the old port, so it has to be started again for the new one.
            log.warning("sip_capture.port_taken", port=port, error=str(error))
            listening.bind(("127.0.0.1", 0))
    except OSError:
        with contextlib.suppress(OSError):
            listening.close()
        raise
    return listening


@lru_cache(maxsize=4096)
def is_local(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
        return True


def can_capture(modules: Path) -> bool:
    """Does this Asterisk have the modules that this needs?"""
    return all((modules / f"{name}.so").exists() for name in MODULES)

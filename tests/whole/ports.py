"""Free ports, so that two runs of these tests can go on side by side."""

from __future__ import annotations

import random
import socket
import time
from contextlib import closing

FIRST, LAST, BLOCK = 12_000, 32_000, 2_000
"""Below Linux's ephemeral ports (net.ipv4.ip_local_port_range), which anyone may be given."""


WAIT = 120.0
"""Seconds: for another run to give its block back."""


class NoPorts(RuntimeError):
    """No port is to be had; the message says why."""


class Ports:
    """Blocks of ports that are this run's alone: the first port of each is held as the claim to it."""

    def __init__(self, wait: float = WAIT) -> None:
        self._wait = wait
        self._claims: list[socket.socket] = []
        self._kept: set[int] = set()
        self._first = self._next = self._another_block()

    def one(self) -> int:
        """A port that is free for TCP and UDP on every address, as is the next (baresip's TLS)."""
        return self.range(2)[0]

    def keep(self, size: int) -> tuple[int, int]:
        """As ``range``, and never given to another: for one who binds them later, and time and again.

        A server does so with its ports for sound. When all ports of a block have been given, they
        are given anew, and a phone would race with a call for the one that it was told is free.
        """
        found = self.range(size)
        self._kept.update(range(found[0], found[1] + 1))
        return found

    def range(self, size: int) -> tuple[int, int]:
        """(first, last) of ``size`` neighbouring free ports, the first one even (RFC 3550, 11).

        Where this run's block has none, another block is taken. Blocks while all of them are
        others'; raises NoPorts when that lasts too long.
        """
        if size > BLOCK - 2:
            raise NoPorts(f"{size} ports are more than a block has")
        found = self._free_in_block(size, self._next) or self._free_in_block(size, self._first)
        while found is None:  # servers that ended have left none either
            self._first = self._another_block()
            found = self._free_in_block(size, self._first)
        self._next = found[1] + 1
        return found

    def close(self) -> None:
        """Give the blocks back."""
        for claim in self._claims:
            claim.close()

    def _free_in_block(self, size: int, begin: int) -> tuple[int, int] | None:
        start = begin + begin % 2
        while start + size <= self._first + BLOCK - 1:
            taken = [
                port for port in range(start, start + size) if port in self._kept or not _free(port)
            ]
            if not taken:
                return start, start + size - 1
            start = taken[-1] + 1 + (taken[-1] + 1) % 2
        return None

    def _another_block(self) -> int:
        blocks = list(range(FIRST, LAST, BLOCK))
        random.shuffle(blocks)
        until = time.monotonic() + self._wait
        while (claimed := next(filter(None, map(_claimed, blocks)), None)) is None:
            if time.monotonic() > until:
                raise NoPorts(f"all {len(blocks)} blocks of ports from {FIRST} to {LAST} are taken")
            time.sleep(0.2)
        self._claims.append(claimed[0])
        return claimed[1]


def loopback() -> str:
    """An address of 127/8 that nobody else is likely to use; Linux answers on all of them."""
    return f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(2, 254)}"


def _claimed(block: int) -> tuple[socket.socket, int] | None:
    claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        claim.bind(("127.0.0.1", block))
        claim.listen()
    except OSError:
        claim.close()
        return None
    return claim, block + 1


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with closing(socket.socket(socket.AF_INET, kind)) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True

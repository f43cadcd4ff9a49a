"""Free ports, so that two runs of these tests can go on side by side."""

from __future__ import annotations

import random
import socket
from contextlib import closing

FIRST, LAST, BLOCK = 12_000, 32_000, 2_000
"""Below Linux's ephemeral ports (net.ipv4.ip_local_port_range), which anyone may be given."""


class Ports:
    """A block of ports that is this run's alone: its first port is held as the claim to it."""

    def __init__(self) -> None:
        blocks = list(range(FIRST, LAST, BLOCK))
        random.shuffle(blocks)
        self._claim, self._first = next(filter(None, map(_claimed, blocks)))
        self._next = self._first

    def one(self) -> int:
        """A port that is free for TCP and UDP on every address."""
        return self.range(1)[0]

    def range(self, size: int) -> tuple[int, int]:
        """(first, last) of ``size`` neighbouring free ports, the first one even (RFC 3550, 11)."""
        for begin in (self._next, self._first):  # once more from the start: servers end
            start = begin + begin % 2
            while start + size <= self._first + BLOCK - 1:
                taken = [port for port in range(start, start + size) if not _free(port)]
                if not taken:
                    self._next = start + size
                    return start, start + size - 1
                start = taken[-1] + 1 + (taken[-1] + 1) % 2
        raise RuntimeError("this run's block of ports is used up")

    def close(self) -> None:
        """Give the block back."""
        self._claim.close()


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

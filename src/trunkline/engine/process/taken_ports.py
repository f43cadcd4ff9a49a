"""Which ports are taken on this machine, and by which process (proc(5): ``/proc/net``, ``/proc/PID/fd``)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

Kind = Literal["udp", "tcp"]
_LISTEN = "0A"


def held_by(kind: Kind, port: int, pids: Iterable[int]) -> bool:
    sockets = {inode for number, inode in _sockets(kind) if number == port}
    return bool(sockets & _owned(pids))


def others_in(kind: Kind, first: int, last: int, ours: Iterable[int]) -> int:
    own = _owned(ours)
    return len(
        {port for port, inode in _sockets(kind) if first <= port <= last and inode not in own}
    )


def why_not(kind: Kind, host: str, port: int) -> str:
    """Why the address cannot be bound; empty when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as probe:
        if kind == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _sockets(kind: Kind) -> Iterator[tuple[int, str]]:
    """Port and inode of every bound socket; of TCP only those that listen."""
    for name in (kind, f"{kind}6"):
        try:
            lines = (Path("/proc/net") / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for field in map(str.split, lines):
            if kind == "udp" or field[3] == _LISTEN:
                yield int(field[1].rpartition(":")[2], 16), field[9]


def _owned(pids: Iterable[int]) -> set[str]:
    """Inodes of the sockets that these processes hold."""
    inodes: set[str] = set()
    for pid in pids:
        try:
            entries = list((Path("/proc") / str(pid) / "fd").iterdir())
        except OSError:
            continue
        inodes.update(_inode(entry) for entry in entries)
    return inodes - {""}


def _inode(entry: Path) -> str:
    try:
        target = os.readlink(entry)
    except OSError:
        return ""
    return target[8:-1] if target.startswith("socket:[") else ""

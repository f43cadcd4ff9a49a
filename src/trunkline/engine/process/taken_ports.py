"""Which ports are taken on this machine, and by which process (proc(5): ``/proc/net``, ``/proc/PID/fd``)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

Kind = Literal["udp", "tcp"]
_LISTEN, _ESTABLISHED, _CLOSE_WAIT = "0A", "01", "08"


def held_by(kind: Kind, port: int, pids: Iterable[int]) -> bool:
    sockets = {inode for number, inode in _sockets(kind) if number == port}
    return bool(sockets & _owned(pids))


def others_in(kind: Kind, first: int, last: int, ours: Iterable[int]) -> int:
    own = _owned(ours)
    return len(
        {port for port, inode in _sockets(kind) if first <= port <= last and inode not in own}
    )


def listened_at(pids: Iterable[int]) -> frozenset[int]:
    """The TCP ports at which these processes listen."""
    own = _owned(pids)
    return frozenset(port for port, inode in _sockets("tcp") if inode in own)


def connections(ports: frozenset[int]) -> int:
    """How many TCP connections to these ports of this machine are open."""
    return sum(
        state in (_ESTABLISHED, _CLOSE_WAIT) and number in ports
        for number, _, state in _lines("tcp")
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
    for port, inode, state in _lines(kind):
        if kind == "udp" or state == _LISTEN:
            yield port, inode


def _lines(kind: Kind) -> Iterator[tuple[int, str, str]]:
    """Local port, inode and state of every socket."""
    for name in (kind, f"{kind}6"):
        try:
            lines = (Path("/proc/net") / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for field in map(str.split, lines):
            yield int(field[1].rpartition(":")[2], 16), field[9], field[3]


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

"""Asks in a network namespace of its own; each line of its input is one question, and gets one line.

``tcp FROM TO PORT NUMBER``: open so many connections, and keep them: how many came about.
``udp FROM TO PORT NUMBER``: send so many packets at once: how many were answered.
``close``: close what is open.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time

kept: list[socket.socket] = []


def opened(kind: socket.SocketKind, near: str, far: str, port: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in near else socket.AF_INET, kind)
    made.bind((near, 0))
    made.settimeout(0.5)
    made.connect((far, int(port)))
    return made


def tcp(near: str, far: str, port: str, number: str) -> int:
    came = 0
    for _ in range(int(number)):
        with contextlib.suppress(OSError):
            kept.append(opened(socket.SOCK_STREAM, near, far, port))
            came += 1
    return came


def udp(near: str, far: str, port: str, number: str) -> int:
    with opened(socket.SOCK_DGRAM, near, far, port) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        came, sent = 0, int(number)
        for n in range(sent):
            out.send(b"x")
            if n % 50 == 49:
                time.sleep(0.001)
        with contextlib.suppress(TimeoutError):
            while came < sent:
                out.recv(10)
                came += 1
        return came


def close() -> int:
    closed = len(kept)
    while kept:
        kept.pop().close()
    return closed


for line in sys.stdin:
    word, *more = line.split()
    print({"tcp": tcp, "udp": udp, "close": close}[word](*more), flush=True)

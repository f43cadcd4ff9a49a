"""``python -m bench.histories.load PORT CORE CONNECTIONS SECONDS < requests``: ask as fast as is answered.

stdin holds HTTP requests for kept-alive connections, each a line of JSON. Every connection sends the
next one as soon as its answer is whole. stdout gets one JSON object: answers, seconds, and the
latencies in microseconds, as a base64 of unsigned 32-bit integers.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import sys
import time
from array import array
from collections.abc import Iterator
from typing import cast

import uvloop

_LENGTH = b"content-length: "


class Client(asyncio.Protocol):
    """One connection: a request, its whole answer, the next request."""

    def __init__(self, requests: Iterator[bytes], taken: array[int]) -> None:
        self._requests, self._taken = requests, taken
        self._buffer = b""
        self._sent = 0.0
        self.stopping = False
        self.failed = ""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0 or len(self._buffer) < head + 4 + self._length(head):
            return
        self._taken.append(int((time.perf_counter() - self._sent) * 1e6))
        if self._buffer[9:12] != b"200":
            self.failed = self._buffer[:600].decode(errors="replace")
        self._buffer = b""
        if self.stopping or self.failed:
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not (self.stopping or self.failed):
            self.failed = f"the server closed a connection: {exc}"
        if not self.over.done():
            self.over.set_result(None)

    def _length(self, head: int) -> int:
        at = self._buffer.lower().find(_LENGTH, 0, head) + len(_LENGTH)
        return int(self._buffer[at : self._buffer.find(b"\r", at)])

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))


async def _load(port: int, connections: int, seconds: float, requests: list[bytes]) -> None:
    loop, taken = asyncio.get_running_loop(), array("I")
    asked = itertools.cycle(requests)
    began = time.perf_counter()
    clients = [
        (await loop.create_connection(lambda: Client(asked, taken), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    answers, lasted = len(taken), time.perf_counter() - began
    for client in clients:
        client.stopping = True
    await asyncio.wait_for(asyncio.gather(*(client.over for client in clients)), 30)
    failed = next((client.failed for client in clients if client.failed), "")
    told = {"answers": answers, "seconds": lasted, "failed": failed}
    told["latencies"] = base64.b64encode(taken[:answers].tobytes()).decode()
    print(json.dumps(told))


def main() -> None:
    port, core, connections = map(int, sys.argv[1:4])
    seconds = float(sys.argv[4])
    os.sched_setaffinity(0, {core})
    requests = [json.loads(line).encode("latin-1") for line in sys.stdin]
    uvloop.run(_load(port, connections, seconds, requests))


if __name__ == "__main__":
    main()

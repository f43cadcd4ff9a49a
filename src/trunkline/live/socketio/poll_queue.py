"""The packets that wait for a client's next poll."""

from __future__ import annotations

import asyncio
from collections import deque

_EACH = 64
"""Bytes that a packet takes besides its characters."""


class PollQueue:
    """Packets in their order; one poll at a time may wait for them. ``size``: what they take, in bytes about."""

    __slots__ = ("_packets", "_poll", "size")

    def __init__(self) -> None:
        self._packets: deque[str] = deque()
        self._poll: asyncio.Future[None] | None = None
        self.size = 0

    @property
    def polled(self) -> bool:
        return self._poll is not None

    def put(self, packet: str) -> None:
        """Add a packet; a waiting poll takes it in the loop's next step, with all that follow."""
        self._packets.append(packet)
        self.size += len(packet) + _EACH
        self.wake()

    def take(self, most: int) -> list[str]:
        """Remove the first packets, at most so many, and return them."""
        packets = [self._packets.popleft() for _ in range(min(most, len(self._packets)))]
        self.size -= sum(map(len, packets)) + _EACH * len(packets)
        return packets

    def take_all(self) -> list[str]:
        return self.take(len(self._packets))

    def wake(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    async def filled(self, seconds: float | None) -> bool:
        """Wait for a packet, or to be woken, at most so long (None: for ever).

        A second poll takes the place of the first one, whose answer is False.
        """
        self.wake()
        poll = self._poll = asyncio.get_running_loop().create_future()
        if self._packets:
            self.wake()
        try:
            await asyncio.wait([poll], timeout=seconds)
            return self._poll is poll
        finally:
            if self._poll is poll:
                self._poll = None

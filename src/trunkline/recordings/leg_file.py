"""Reads what the engine's recorder has kept of one leg: each packet that its far end sent, and when.

The format is told in ``engine/recorder/app_record_leg.c``, which writes it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAGIC = b"TLLEG001"
_HEAD = np.dtype(
    [
        ("wall", "<u8"), ("mono", "<u8"), ("ts", "<u4"), ("seq", "<u2"), ("kind", "u1"), ("timed", "u1"),
        ("samples", "<u4"), ("bytes", "<u4"),
    ]
)  # fmt: skip
_CLOCK_WAS_SET = 50_000
"""Microseconds between a call's own clock and the wall's, from which on the wall's was set (``calls/even_times.py``)."""
_VOICE, _FORMAT = ord("V"), ord("F")
_LOOK = 64 * 1024

Heads = npt.NDArray[np.void]


class Spoken(NamedTuple):
    """A time in which something was so, in unix microseconds; ``end`` is None when it never ended."""

    start: int
    end: int | None


class LegFile:
    """The packets of one leg's file.

    ``voice`` has a head for each packet of voice, in the order of their arrival; ``formats`` says which
    format each of them has. A file whose engine was killed is read up to its last whole packet.
    Where the wall clock was set, times count by ``clock``, which says how far it was ahead of the monotonic one.
    """

    def __init__(self, path: Path, clock: int | None = None) -> None:
        """Raises OSError, and ValueError for a file of another kind."""
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._bytes[: len(MAGIC)] != MAGIC:
            raise ValueError(f"{path.name} is not what the recorder writes")
        places = np.fromiter(_places(self._bytes), np.int64)
        whole = np.frombuffer(self._bytes, np.uint8)
        heads = whole[places[:, None] + np.arange(_HEAD.itemsize)].view(_HEAD)[:, 0]
        if clock is not None:
            own = heads["mono"].astype(np.int64) + clock
            was_set = np.abs(own - heads["wall"].astype(np.int64)) > _CLOCK_WAS_SET
            heads["wall"][was_set] = own[was_set]
        is_voice = heads["kind"] == _VOICE
        self.voice: Heads = heads[is_voice]
        self._payloads = places[is_voice] + _HEAD.itemsize
        self.formats = self._formats(heads, places, is_voice)
        self._marks = heads[~is_voice]

    def payload(self, number: int) -> bytes:
        """What the packet of voice of that number has in it."""
        start = int(self._payloads[number])
        return self._bytes[start : start + int(self.voice["bytes"][number])]

    def digits(self) -> list[Spoken]:
        """When telephone-events (RFC 4733) of this leg were under way."""
        return self._between("D", "E")

    def holds(self) -> list[Spoken]:
        """When this leg had the call on hold."""
        return self._between("H", "U")

    def close(self) -> None:
        self._bytes.close()

    def _formats(self, heads: Heads, places: npt.NDArray[np.int64], is_voice: npt.NDArray[np.bool_]) -> list[str]:  # fmt: skip
        names: list[str] = []
        told = {
            int(at): self._bytes[int(place) + _HEAD.itemsize :][: int(heads["bytes"][at])].decode()
            for at, place in enumerate(places)
            if heads["kind"][at] == _FORMAT
        }
        changes = sorted(told)
        if not changes:
            return names
        numbers = np.flatnonzero(is_voice)
        counts = np.searchsorted(numbers, changes)
        for at, begins, ends in zip(changes, counts, [*counts[1:], len(numbers)], strict=True):
            names += [told[at]] * int(ends - begins)
        return names

    def _between(self, begin: str, end: str) -> list[Spoken]:
        found: list[Spoken] = []
        started: int | None = None
        for head in self._marks[np.isin(self._marks["kind"], [ord(begin), ord(end)])]:
            at = int(head["wall"])
            if chr(head["kind"]) == begin:
                started = at if started is None else started
                continue
            # A digit's end may come without its begin; it says how long the digit was.
            found.append(Spoken(at - int(head["ts"]) * 1000 if started is None else started, at))
            started = None
        if started is not None:
            found.append(Spoken(started, None))
        return found


def has_voice(path: Path) -> bool:
    """Has the far end of this leg sent any sound? Looks at the file's beginning: marks are few and short."""
    with path.open("rb") as file:
        beginning = file.read(_LOOK)
    return any(beginning[place + 22] == _VOICE for place in _places(beginning))


def _places(data: bytes | mmap.mmap) -> Iterator[int]:
    """Where each whole record begins."""
    place, size = len(MAGIC), len(data)
    while place + _HEAD.itemsize <= size:
        following = place + _HEAD.itemsize + int.from_bytes(data[place + 28 : place + 32], "little")
        if following > size:
            return
        yield place
        place = following

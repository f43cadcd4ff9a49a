"""Files as the engine's recorder writes them, of packets that a test makes up."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

NOW = 1_800_000_000_000_000
"""Unix microseconds."""
STEP = 20_000
"""Microseconds: what a packet of these phones holds."""


class Packet(msgspec.Struct, frozen=True):
    """A packet of voice that came ``at`` microseconds after the leg's beginning, with an RTP timestamp in ms."""

    at: int
    ts: int
    payload: bytes
    samples: int = 160
    seq: int = 0


class Mark(msgspec.Struct, frozen=True):
    """D, E: a digit begins, ends (after ``lasted`` ms). H, U: hold, unhold."""

    at: int
    kind: str
    lasted: int = 0


def write(path: Path, events: Iterable[Packet | Mark], format_: str = "ulaw") -> Path:
    """In the order of their arrival."""
    records = [_record(0, "F", payload=format_.encode())]
    for event in sorted(events, key=lambda each: each.at):
        if isinstance(event, Mark):
            records.append(_record(event.at, event.kind, ts=event.lasted))
        else:
            records.append(
                _record(event.at, "V", event.ts, event.seq, 1, event.samples, event.payload)
            )
    path.write_bytes(b"TLLEG001" + b"".join(records))
    return path


def _record(at: int, kind: str, ts: int = 0, seq: int = 0, timed: int = 0, samples: int = 0, payload: bytes = b"") -> bytes:  # fmt: skip
    head = struct.pack("<QQIHBBII", NOW + at, 5_000_000 + at, ts % 2**32, seq % 2**16, ord(kind), timed, samples, len(payload))  # fmt: skip
    return head + payload


def spoken(sound: NDArray[np.float64], begin: int = 0, ts: int = 1000) -> list[Packet]:
    """Packets of mu-law that come each 20 ms."""
    coded = ulaw(sound)
    return [
        Packet(begin + n * STEP, ts + n * 20, coded[n * 160 : n * 160 + 160], seq=n)
        for n in range(len(coded) // 160)
    ]


def ulaw(sound: NDArray[np.float64]) -> bytes:
    """ITU-T G.711: each sample by the nearest of the 256 levels that the decoder has."""
    from trunkline.recordings.decode import decoder

    levels = decoder("ulaw").decode([bytes(range(256))])[0].astype(float)
    order = np.argsort(levels, kind="stable")
    middles = (levels[order][1:] + levels[order][:-1]) / 2
    return bytes(order[np.searchsorted(middles, sound * 32767)].astype(np.uint8))

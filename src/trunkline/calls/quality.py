"""How a leg's audio went, from what RTCP counted: loss, jitter, the way there and back, and what people would say.

``received`` is what came from the leg's phone or carrier, as the engine counted it: of this leg alone. ``sent`` is what
went there, as its far end's reports say. The engine passes gaps on as they came, and waits for nothing: so what was lost
or late on the leg of whoever spoke is in that, too.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from trunkline.calls import e_model
from trunkline.calls.facts import LegMeasured

MEASURED_EVERY = 5
"""Seconds between the engine's RTCP reports: with each it counts what has been lost."""
MOST_A_SECOND = 110
"""No phone sends more packets: 10 ms of sound are the least that one has."""
_FRAME = 20.0
"""Milliseconds of sound in a packet, which it waits for before it leaves."""
_LONGEST = 10_000.0
"""Milliseconds of jitter, or of the way there and back, above which somebody's reports are wrong."""

Fault = Literal[
    "RECEIVED_LOSS", "RECEIVED_JITTER", "RECEIVED_MOS", "SENT_LOSS", "SENT_JITTER", "SENT_MOS"
]
_RECEIVED: tuple[Fault, Fault, Fault] = ("RECEIVED_LOSS", "RECEIVED_JITTER", "RECEIVED_MOS")
_SENT: tuple[Fault, Fault, Fault] = ("SENT_LOSS", "SENT_JITTER", "SENT_MOS")


class Stream(msgspec.Struct, frozen=True):
    """One direction. What is not known is None; ``mos`` is 1 (bad) to 4.41."""

    packets: int
    lost: int | None = None
    loss_percent: float | None = None
    jitter_ms: float | None = None
    mos: float | None = None


class Quality(msgspec.Struct, frozen=True):
    """Both directions of a leg. ``codec`` is the engine's name of it."""

    codec: str
    received: Stream
    sent: Stream
    round_trip_ms: float | None = None


class QualityLimits(msgspec.Struct, frozen=True):
    """What is bad: a MOS below, loss or jitter above; 0 for none of it."""

    mos: float = 3.6
    loss_percent: float = 5.0
    jitter_ms: float = 30.0


USUAL = QualityLimits()


def quality(measured: LegMeasured, seconds: float) -> Quality:
    """``seconds`` are those for which the leg was up."""
    round_trip = _milliseconds(measured.round_trip)
    counted = _believed(measured.received, measured.received_lost, seconds)
    # What came after the last count is no part of the share.
    upto = measured.received * _counted_share(seconds)
    received = _stream(measured.received, counted, upto, measured.received_jitter)
    reported = _believed(measured.sent, measured.sent_lost, seconds)
    arrived = measured.sent - (reported or 0)
    if arrived < 0:  # more than that was missing before it was sent
        arrived = measured.sent
    sent = _stream(measured.sent, reported, arrived, measured.sent_jitter)
    codec = measured.codec
    return Quality(
        codec, _judged(received, codec, round_trip), _judged(sent, codec, round_trip), round_trip
    )


def faults(of: Quality, limits: QualityLimits) -> tuple[Fault, ...]:
    """What of it is bad."""
    found: list[Fault] = []
    for one, (loss, jitter, mos) in ((of.received, _RECEIVED), (of.sent, _SENT)):
        if limits.loss_percent and (one.loss_percent or 0) > limits.loss_percent:
            found.append(loss)
        if limits.jitter_ms and (one.jitter_ms or 0) > limits.jitter_ms:
            found.append(jitter)
        if one.mos is not None and one.mos < limits.mos:
            found.append(mos)
    return tuple(found)


def _believed(packets: int, lost: int | None, seconds: float) -> int | None:
    """None where so much cannot have been sent: a phone's numbers jumped, which the engine takes for loss."""
    if lost is None or packets + lost > MOST_A_SECOND * (seconds + MEASURED_EVERY):
        return None
    return lost


def _counted_share(seconds: float) -> float:
    """Of the leg's time, the part before the engine's last count."""
    if seconds < MEASURED_EVERY:
        return 1.0
    return seconds // MEASURED_EVERY * MEASURED_EVERY / seconds


def _stream(packets: int, lost: int | None, arrived: float, jitter: int | None) -> Stream:
    share = None
    if lost is not None and lost + arrived > 0:
        share = round(100 * lost / (lost + arrived), 2)
    return Stream(packets, lost, share, _milliseconds(jitter))


def _milliseconds(microseconds: int | None) -> float | None:
    if microseconds is None or microseconds > _LONGEST * 1000:
        return None
    return microseconds / 1000


def _judged(stream: Stream, codec: str, round_trip: float | None) -> Stream:
    """With its MOS. A jitter buffer holds back about twice the jitter; a round trip that is not known counts as none."""
    known = e_model.CODECS.get(codec)
    if known is None or stream.loss_percent is None:
        return stream
    delay = (round_trip or 0) / 2 + 2 * (stream.jitter_ms or 0) + _FRAME
    r = e_model.rating(known, delay, stream.loss_percent / 100)
    return msgspec.structs.replace(stream, mos=round(e_model.opinion(r), 2))

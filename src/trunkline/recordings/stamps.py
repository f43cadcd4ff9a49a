"""What RTP timestamps say of packets whose sender may have got them wrong.

Senders count them by another clock (G.722 at 16 kHz, Opus by half of its samples), do not count them at all, or take them
off a clock that trembles. What a packet holds is as long as it is, so the one behind it is not to be heard
before its end. Packets are taken in the order of their sequence numbers, whatever the order of their arrival.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]

_BACK, _AHEAD = -100, 3000
"""Sequence numbers that leap by more than that are of a sender that began anew (RFC 3550, A.1)."""
_ENOUGH = 25
"""Packets by which a sender's clock is judged."""
_ASKEW = 0.2
"""By that share another clock is off; a crystal is off by some parts in a million."""


def anew(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Between which packets the sender began anew, by its sequence numbers (as they go on: see ``numbered``)."""
    steps = np.diff(numbers)
    return (steps < _BACK) | (steps > _AHEAD)


def numbered(sequence: npt.NDArray[np.uint16]) -> npt.NDArray[np.int64]:
    """Sequence numbers that go on where these begin again from 0."""
    steps = np.diff(sequence).astype(np.int16)  # of 16 bits, as the numbers are
    return np.concatenate(
        [np.zeros(min(len(sequence), 1), np.int64), np.cumsum(steps, dtype=np.int64)]
    )


def mended(arrived: Times, stamped: Times, lasting: Times, numbers: npt.NDArray[np.int64]) -> Times:
    """When each packet of a run begins, in milliseconds of its sender; packets that came twice have the same time.

    ``lasting`` is how many milliseconds of sound each of them holds.
    """
    order = np.argsort(numbers, kind="stable")
    first = np.flatnonzero(np.diff(numbers[order], prepend=numbers[order[:1]] - 1))
    which = np.searchsorted(first, np.arange(len(order)), side="right") - 1
    one = order[first]
    said = stamped[one] / _clock(arrived[one], stamped[one], lasting[one], numbers[one])
    ends = np.concatenate([[0.0], np.cumsum(lasting[one])[:-1]])
    times = np.empty(len(order))
    times[order] = (np.maximum.accumulate(said - ends) + ends)[which]
    return times


def _clock(arrived: Times, stamped: Times, lasting: Times, numbers: npt.NDArray[np.int64]) -> float:
    """How many of its milliseconds a sender counts in one: what most of its packets and the time that they took agree on."""
    follows = (np.diff(numbers) == 1) & (lasting[:-1] > 0)
    took = float(arrived[-1] - arrived[0])
    if follows.sum() < _ENOUGH or took <= 0:
        return 1.0
    step = float(np.median(np.diff(stamped)[follows] / lasting[:-1][follows]))
    whole = float(stamped[-1] - stamped[0]) / took
    if abs(step - 1) < _ASKEW or step <= 0 or abs(whole / step - 1) > _ASKEW:
        return 1.0
    return step

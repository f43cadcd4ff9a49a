"""When each packet of a leg is to be heard, out of when it arrived and what its RTP timestamp says.

Timestamps say how far packets lie apart, whatever the network did to them; arrivals say when that was. The
network only ever adds to a packet's way, so the quickest of some seconds' packets gives the time for all of
them: a packet's delay is its arrival less its timestamp, and its *anchor* the least delay around it. A
sender may begin its timestamps anew, or stop them while it is silent: then delays before and after differ
for good, and the anchor is the greater of the least before and the least after. A delay that passes (the
packets of a second come at once) does not move it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trunkline.recordings.stamps import Times, anew, mended

ANEW_MS = 2000.0
"""A delay that differs by so much from the one before is of timestamps that began anew."""
_AROUND = 150
"""Packets before and after: 3 s."""
_FEW = 10
"""So near to an end of a run, the packets on that side are too few to judge by."""
_SEAM_MS = 5.0
_MOVES_MS = 25.0
"""The anchor follows a slow clock in steps, and not with every packet: within a step, sound is unbroken."""


class Packets(NamedTuple):
    """Packets in the order of their arrival: what their timestamps say, and how long their sound is (both in milliseconds)."""

    stamped: Times
    timed: npt.NDArray[np.bool_]
    lasting: Times
    numbers: npt.NDArray[np.int64]
    """Sequence numbers, as they go on."""


def placed(arrived: Times, packets: Packets) -> Times:
    """When each packet is to be heard: NaN for one that came twice.

    All in milliseconds. ``arrived`` is by a clock that never jumps, in order. Packets without a timestamp are heard
    when they came.
    """
    heard, last = arrived.copy(), None
    for part in _runs(arrived, packets):
        said = mended(
            arrived[part], packets.stamped[part], packets.lasting[part], packets.numbers[part]
        )
        delays = arrived[part] - said
        anchors, again = _anchors(delays), _repeated(packets.numbers[part])
        # Between when it was sent and when most of it came: nearest to both.
        usual = np.median((delays - anchors)[~again]) / 2
        times = said + in_steps(anchors, _MOVES_MS) + usual
        if last is not None:
            times += _seam(times, last)
        last = times.max()
        times[again] = np.nan
        heard[part] = times
    return heard


def _runs(arrived: Times, packets: Packets) -> list[slice]:
    """Packets in a row whose numbers and timestamps go on from each other."""
    if not len(arrived):
        return []
    timed = packets.timed
    delays = np.where(timed, arrived - packets.stamped, 0.0)
    leaps = (np.abs(np.diff(delays)) > ANEW_MS) | (np.diff(timed.astype(np.int8)) != 0)
    edges = [0, *(np.flatnonzero(leaps | anew(packets.numbers)) + 1).tolist(), len(arrived)]
    return [
        slice(begin, end)
        for begin, end in pairwise(edges)
        if timed[begin]
    ]  # fmt: skip


def _seam(times: Times, last: float) -> float:
    """By how much a run has to move for its packets to follow the ``last`` one before it without a click."""
    steps = np.diff(np.sort(times))
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    gap = float(times.min()) - last
    moved = round(gap / step) * step - gap if step else 0.0
    return moved if abs(moved) <= _SEAM_MS else 0.0


def _anchors(delays: Times) -> Times:
    edge = np.full(_AROUND - 1, np.inf)
    windows = np.lib.stride_tricks.sliding_window_view
    before = windows(np.concatenate([edge, delays]), _AROUND).min(axis=1)
    after = windows(np.concatenate([delays, edge]), _AROUND).min(axis=1)
    if len(delays) > 2 * _FEW:
        before[:_FEW] = after[-_FEW:] = -np.inf
    anchors: Times = np.maximum(before, after)
    return anchors


def in_steps(values: Times, moves: float) -> Times:
    """Each value is that of the one before, until it is off by more than ``moves``."""
    steps, at = values.copy(), 0
    while at < len(steps):
        away = np.abs(values[at:] - values[at]) > moves
        end = at + int(away.argmax()) if away.any() else len(steps)
        steps[at:end] = values[at]
        at = end
    return steps


def _repeated(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    repeated = np.ones(len(numbers), bool)
    repeated[np.unique(numbers, return_index=True)[1]] = False
    return repeated

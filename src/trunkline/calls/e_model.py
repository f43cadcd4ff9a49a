"""The E-model: what people would say of a connection's sound, from its delay and its lost packets.

It is ITU-T G.107 (06/2015), with that one's default values for all that no network changes: rooms, phones, loudness,
echo. So R is 93.2 where nothing is lost and nothing takes time. The scale is that of narrowband speech, on which
nothing is better than a MOS of 4.41. A wideband codec (G.722, Opus) is put on it as one that takes nothing away: then
one threshold means the same whatever the codec. How it sounds better than G.711 is not seen; G.107.1 has a scale of
its own for that, whose numbers compare with no other.
"""

from __future__ import annotations

import math
from math import exp, log2, log10, sqrt
from typing import NamedTuple

RO = 94.77
"""Ro: the signal above the noise of rooms and circuits."""
IS = 1.41
"""Is: loudness, side tone, quantizing."""
TELR, WEPL, RLR, NO = 65.0, 110.0, 2.0, -61.18
"""Echo losses of talker and listener, the receiver's loudness (dB), and all noise (dBm0p)."""


class Codec(NamedTuple):
    """How a codec sounds without loss (Ie, 0: as G.711), and how well it bears loss at random (Bpl)."""

    ie: float
    bpl: float


_CONCEALED = Codec(0.0, 25.1)
CODECS = {"ulaw": _CONCEALED, "alaw": _CONCEALED, "g722": _CONCEALED, "opus": _CONCEALED}
"""By Asterisk's names. ITU-T G.113 (11/2007), Appendix I, has G.711 with that one's concealment. For G.722 and Opus,
no value is given on this scale; what their decoders conceal by is at least as good."""


def rating(codec: Codec, delay: float, loss: float) -> float:
    """The factor R (7.1). ``delay`` is one way, from mouth to ear, in ms; ``loss`` a share from 0 to 1."""
    return RO - IS - _by_delay(delay) - _by_equipment(codec, 100 * loss)


def opinion(r: float) -> float:
    """The mean opinion score, 1 to 4.5, that belongs to R (Annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _by_equipment(codec: Codec, percent: float) -> float:
    """Ie,eff (7.5), for loss at random (BurstR = 1)."""
    return codec.ie + (95 - codec.ie) * percent / (percent + codec.bpl)


def _by_delay(t: float) -> float:
    """Id (7.4): the talker's echo, the listener's, and delay without echo."""
    return _talker_echo(t) + _listener_echo(2 * t) + _absolute(t)


def _talker_echo(t: float) -> float:
    terv = TELR - 40 * log10((1 + t / 10) / (1 + t / 150)) + 6 * exp(-0.3 * t * t)
    signal = -1.5 * (NO - RLR) - (80 + 2.5 * (terv - 14))
    return (signal / 2 + sqrt(signal**2 / 4 + 100) - 1) * (1 - exp(-t))


def _listener_echo(t: float) -> float:
    signal = RO - 10.5 * (WEPL + 7) / sqrt(sqrt(t + 1))
    return signal / 2 + sqrt(signal**2 / 4 + 169)


def _absolute(t: float) -> float:
    if t <= 100:
        return 0.0
    x = log2(t / 100)
    return 25 * (math.pow(1 + x**6, 1 / 6) - 3 * math.pow(1 + (x / 3) ** 6, 1 / 6) + 2)

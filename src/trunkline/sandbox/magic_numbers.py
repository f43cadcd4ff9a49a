"""The sandbox's magic numbers: what its pretend carrier does with each."""

from __future__ import annotations

import msgspec


class MagicNumber(msgspec.Struct, frozen=True):
    """A number of the pretend carrier. ``status_detail`` is the outcome of a call to it."""

    number: str
    does: str
    status_detail: str


MAGIC_NUMBERS = (
    MagicNumber("5550100", "answers and echoes what it hears", "SUCCESS"),
    MagicNumber("5550101", "answers and plays a 440 Hz tone", "SUCCESS"),
    MagicNumber("5550102", "is busy", "BUSY"),
    MagicNumber("5550103", "rings and never answers", "UNSUCCESS"),
    MagicNumber("5550104", "rejects the call", "BUSY"),
    MagicNumber("5550105", "is an unknown number", "UNSUCCESS"),
    MagicNumber("5550106", "answers after 5 seconds and plays a 440 Hz tone", "SUCCESS"),
    MagicNumber("5550107", "answers, plays a 440 Hz tone and hangs up after 3 seconds", "SUCCESS"),
)

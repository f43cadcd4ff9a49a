"""How many calls to the outside a device, an account or a trunk may have: ``--max-calls`` and ``--max-rate``."""

from __future__ import annotations

from typing import TypedDict

from trunkline.directory import rules


class Limits(TypedDict, total=False):
    """What is given of the two, as it is stored; None: any number."""

    max_calls: int | None
    max_rate: int | None


def limits(max_calls: str | None, max_rate: str | None) -> Limits:
    """From what was typed, where it was; raises DirectoryRefused."""
    given = Limits()
    if max_calls is not None:
        given["max_calls"] = rules.most(max_calls, "--max-calls")
    if max_rate is not None:
        given["max_rate"] = rules.most(max_rate, "--max-rate")
    return given

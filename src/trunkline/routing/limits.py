"""How many calls may be to the outside: the rows of the view ``tl_limits``, by which the dialplan decides.

What is asked here before a phone rings is asked again there, and that alone decides: calls of phones are in no
process' memory yet when the next one comes.
"""

from __future__ import annotations

import msgspec

from trunkline.calls.lines import Lines
from trunkline.calls.refusals import RefusalReason


class Limits(msgspec.Struct, frozen=True):
    """How many at once (calls), and how many new ones a minute (rate); None: any number."""

    calls: int | None = None
    rate: int | None = None
    account_calls: int | None = None
    account_rate: int | None = None

    @classmethod
    def read(cls, *columns: str) -> Limits:
        """From the columns of the view ``tl_limits``."""
        return cls(*(None if column == "none" else int(column) for column in columns))


def full(taken: Lines, device: Limits, trunk: Limits) -> RefusalReason | None:
    """Why there is no place for one more call."""
    if _is_full(taken.device, device.calls):
        return "DEVICE_CALLS"
    if _is_full(taken.account, device.account_calls):
        return "ACCOUNT_CALLS"
    return "TRUNK_CALLS" if _is_full(taken.trunk, trunk.calls) else None


def _is_full(taken: int, most: int | None) -> bool:
    return most is not None and taken >= most

"""What became of a leg, by its hang-up cause in FreeSWITCH's words or as a Q.850 number."""

from __future__ import annotations

import re

from trunkline.calls import causes
from trunkline.calls.record import StatusDetail

_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_BUSY = frozenset({"USER_BUSY", "CALL_REJECTED"})
_GIVEN_UP = frozenset({"ORIGINATOR_CANCEL"})

DEFAULTS: dict[StatusDetail, str] = {
    "SUCCESS": "NORMAL_CLEARING",
    "IVR": "NORMAL_CLEARING",
    "BUSY": "USER_BUSY",
    "UNSUCCESS": "NO_ANSWER",
    "CANCELLED": "ORIGINATOR_CANCEL",
}
"""The cause of a leg whose row names none."""


def cause_name(said: str) -> str:
    """Our name of a cause; empty if it is none."""
    upper = said.strip().upper().replace(" ", "_").replace("-", "_")
    if upper.isascii() and upper.isdigit() and len(upper) <= 3:
        return causes.NAMES.get(int(upper), "")
    return upper if _NAME.fullmatch(upper) else ""


def unanswered(cause: str) -> StatusDetail:
    """The outcome of a leg that nobody answered, by the name of its cause."""
    if cause in _BUSY:
        return "BUSY"
    return "CANCELLED" if cause in _GIVEN_UP else "UNSUCCESS"

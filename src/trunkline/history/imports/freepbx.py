"""FreePBX: its table ``asteriskcdrdb.cdr``, exported with the names of the columns in the first line.

The rows are Asterisk's own, but the start is in ``calldate``, and there is neither answer nor end.
Calls from outside have a ``did``, and ``cnum`` is the extension that called, whatever number it showed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from trunkline.history.imports.asterisk import OUTCOMES, read

__all__ = ["columns", "read"]

_TABLE = (
    "calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata",
    "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "did",
    "recordingfile", "cnum", "cnam", "outbound_cnum", "outbound_cnam", "dst_cnam", "linkedid",
    "peeraccount", "sequence",
)  # fmt: skip
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


def columns(cells: Sequence[str]) -> tuple[str, ...] | None:
    """The names of the table's columns for one of its rows; None if it is not one.

    When MySQL itself exports the table, the file has no names.
    """
    whole = len(cells) == len(_TABLE) and _DATE.fullmatch(cells[0].strip())
    return _TABLE if whole and cells[11].strip().upper() in OUTCOMES else None

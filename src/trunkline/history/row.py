"""One finished call as the Open API's history shows it: ``HistoryRow``."""

from __future__ import annotations

import inspect
import re
from operator import attrgetter

import msgspec

from trunkline.calls.record import CallRecord
from trunkline.calls.times import SECOND
from trunkline.calls.words import StatusDetail as StatusDetail


class HistoryRow(msgspec.Struct, frozen=True):
    """One record exactly as the Open API shows it: the ten documented keys and ``call_id``.

    ``clientRef`` is there where the click-to-call gave one.
    """

    caller: dict[str, str]
    callee: dict[str, str]
    class_: str = msgspec.field(name="class")
    did_number: str | None
    direction: str
    status_detail: str
    duration_seconds: int
    unix_timestamp: int
    billing_seconds: int
    recording: str
    call_id: str
    client_ref: str | msgspec.UnsetType = msgspec.field(name="clientRef", default=msgspec.UNSET)


def shown_party(number: str, username: str | None) -> dict[str, str]:
    """A party as the Open API shows it: ``username`` only where ``type`` is ``user``."""
    if username is None:
        return {"number": number, "type": "realnumber"}
    return {"number": number, "type": "user", "username": username}


def history_row(
    caller_number: str,
    caller_username: str | None,
    callee_number: str,
    callee_username: str | None,
    class_: str,
    did_number: str | None,
    direction: str,
    status_detail: str,
    duration_seconds: int,
    started_at: int,
    billing_seconds: int,
    recording: str,
    client_ref: str | None,
    call_id: str,
) -> HistoryRow:
    return HistoryRow(
        caller=shown_party(caller_number, caller_username),
        callee=shown_party(callee_number, callee_username),
        class_=class_,
        did_number=did_number,
        direction=direction,
        status_detail=status_detail,
        duration_seconds=duration_seconds,
        unix_timestamp=started_at // SECOND,
        billing_seconds=billing_seconds,
        recording=recording,
        call_id=call_id,
        client_ref=client_ref or msgspec.UNSET,
    )


HISTORY_COLUMNS = tuple(inspect.signature(history_row).parameters)


_of_record = attrgetter(*(re.sub("^(caller|callee)_", r"\1.", name) for name in HISTORY_COLUMNS))


def shown(record: CallRecord) -> HistoryRow:
    return history_row(*_of_record(record))

"""A finished call as it is written to its row, and as the history shows it: the same in every
database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord, HistoryRow, shown_party
from trunkline.calls.terms import terms_of
from trunkline.calls.times import SECOND


def call_columns(record: CallRecord) -> dict[str, Any]:
    """What the columns of ``calls`` hold of it, by their names."""
    columns = {name: getattr(record, name) for name in record.__struct_fields__}
    del columns["caller"], columns["callee"], columns["plan"]
    columns["id"] = columns.pop("call_id")
    return {**columns, **_party("caller", record.caller), **_party("callee", record.callee)}


def _party(side: str, party: Party) -> dict[str, str | None]:
    return {
        f"{side}_{name}": getattr(party, name)
        for name in ("number", "username", "name", "user_id", "device_id")
    }


def call_terms(record: CallRecord) -> set[str]:
    """What it is found by before anybody has noted anything of it."""
    return terms_of(
        record.caller, record.callee, record.did_number, record.trunk, record.client_ref
    )


def were_new(new: set[str], records: Sequence[CallRecord]) -> list[bool]:
    """For each record, whether it was written; ``new`` are the ids of those that were."""
    left = set(new)
    written = []
    for record in records:
        written.append(record.call_id in left)
        left.discard(record.call_id)
    return written


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
    """The columns that ``history.sql`` selects of a call, in their order."""
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
        client_ref=client_ref or UNSET,
    )

"""Does a call's journal still give the record that is stored of it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from trunkline.calls import outcome
from trunkline.calls.facts import AnyFact
from trunkline.calls.fold import refold
from trunkline.calls.record import CallRecord


class RefoldDifference(NamedTuple):
    """A field whose two values differ in any byte. ``refolded`` is what the journal says."""

    field: str
    stored: Any
    refolded: Any


def differences(stored: CallRecord, facts: Sequence[AnyFact]) -> list[RefoldDifference]:
    """The fields in which the stored record differs from the one that the facts (at least one) make."""
    call = refold(list(facts))
    if call is None or call.ended_at is None or call.withdrawn:
        return [RefoldDifference("call_id", stored.call_id, None)]
    there, made = _bytes(stored), _bytes(outcome.record(call))
    return [
        RefoldDifference(name, msgspec.json.decode(there[name]), msgspec.json.decode(made[name]))
        for name in there
        if there[name] != made[name]
    ]


def _bytes(record: CallRecord) -> dict[str, bytes]:
    """The record's fields by their keys, as JSON; without NUL, which not every database can hold."""
    return {
        field.encode_name: msgspec.json.encode(getattr(record, field.name)).replace(b"\\u0000", b"")
        for field in msgspec.structs.fields(CallRecord)
    }

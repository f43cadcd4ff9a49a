"""What a finished call brings along when it is written."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.calls.record import CallRecord
from trunkline.history.terms import terms_of


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

"""A recording as it is written to its row and read back: the same in every database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from trunkline.calls.record import CallRecord
from trunkline.calls.recording_plan import RecordingPlan, WholeFile
from trunkline.store.common.numbering import raw_name
from trunkline.store.ports.database import Recording

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RecordingPlan).decode


def recording(row: Iterable[Any]) -> Recording:
    """The row's columns in the order of ``Recording``; one without a plan is a whole file."""
    columns = dict(zip(Recording.__struct_fields__, row, strict=True))
    plan = columns["plan"]
    return Recording(**{**columns, "plan": _decode(plan) if plan else WholeFile(columns["id"])})


def recording_columns(record: CallRecord, plan: RecordingPlan | None) -> dict[str, str]:
    """What a call's record says of its recording; ``files`` are separated by spaces."""
    id_ = raw_name(record.recording)
    return {
        "recording_id": id_,
        "plan": _encode(plan).decode() if plan else "",
        "files": " ".join((plan or WholeFile(id_)).files),
    }

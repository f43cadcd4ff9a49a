"""What the fold gives to the world: announcements while a call lives, one record when it is over."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from trunkline.calls.facts import Class, Direction, Party
from trunkline.calls.recording_plan import RecordingPlan
from trunkline.calls.times import SECOND

StatusDetail = Literal["SUCCESS", "BUSY", "UNSUCCESS", "CANCELLED", "IVR"]


class Announcement(msgspec.Struct, frozen=True):
    """A public event before it has its number.

    ``category``, ``name`` and ``subject`` are the three segments that bindings match
    (``call.CHANNEL_CREATE.<Call-ID>``). ``body`` is the payload (``payloads.AnyEvent``) without
    ``Event-Seq``.
    """

    account_id: str
    category: str
    name: str
    subject: str
    at: int
    body: msgspec.Struct | dict[str, Any]
    call_id: str | None = None


class StoredEvent(msgspec.Struct, frozen=True):
    """An event as it stands in an account's log. ``body`` is JSON with ``Event-Seq`` in it."""

    account_id: str
    seq: int
    category: str
    name: str
    subject: str
    call_id: str | None
    at: int
    body: bytes


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The finished call, as history keeps it. Times are unix microseconds, durations seconds.

    ``plan`` is what the recording is made of; None: one raw file, named as the recording is.
    """

    call_id: str
    account_id: str
    caller: Party
    callee: Party
    class_: Class = msgspec.field(name="class")
    direction: Direction
    did_number: str | None
    status_detail: StatusDetail
    started_at: int
    answered_at: int | None
    ended_at: int
    duration_seconds: int
    billing_seconds: int
    ringing_seconds: int
    hangup_cause: str
    recording: str = ""
    plan: RecordingPlan | None = None
    client_ref: str | None = None
    app_id: str | None = None
    trunk: str | None = None
    engine_died: bool = False
    merged_into: str | None = None


class HistoryRow(msgspec.Struct, frozen=True):
    """One record exactly as the Open API shows it: the ten documented keys and ``call_id``.

    And ``clientRef``, where the click-to-call gave one.
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


def shown(record: CallRecord) -> HistoryRow:
    """The record as the Open API shows it."""
    return HistoryRow(
        caller=shown_party(record.caller.number, record.caller.username),
        callee=shown_party(record.callee.number, record.callee.username),
        class_=record.class_,
        did_number=record.did_number,
        direction=record.direction,
        status_detail=record.status_detail,
        duration_seconds=record.duration_seconds,
        unix_timestamp=record.started_at // SECOND,
        billing_seconds=record.billing_seconds,
        recording=record.recording,
        call_id=record.call_id,
        client_ref=record.client_ref or msgspec.UNSET,
    )

"""What the fold gives to the world: announcements while a call lives, one record when it is over."""

from __future__ import annotations

import inspect
import re
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trunkline.calls.facts import Class, Direction, Party
from trunkline.calls.times import SECOND
from trunkline.calls.words import StatusDetail as StatusDetail


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
    """The finished call, as history keeps it. Times (``…_at``) are unix microseconds, durations seconds.

    What is told of a call has its one definition here: the columns of the databases (``db.call_columns``),
    /v1 and exports (``api.v1.call_fields``) and the command line follow from the names, the types, the
    defaults and the descriptions of these fields. A field that older records lack needs a default.
    """

    call_id: str
    account_id: str
    started_at: int
    answered_at: int | None
    ended_at: int
    class_: Annotated[Class, Meta(description="Internal, or by a trunk.")] = msgspec.field(
        name="class"
    )
    direction: Direction
    status_detail: Annotated[StatusDetail, Meta(description="The outcome.")]
    hangup_cause: str
    caller: Party
    callee: Party
    did_number: Annotated[str | None, Meta(description="The dialled number of an inbound call.")]
    duration_seconds: int
    billing_seconds: Annotated[int, Meta(description="How long two people were joined.")]
    ringing_seconds: int
    recording: Annotated[str, Meta(description="The recording's name.")] = ""
    client_ref: str | None = None
    app_id: str | None = None
    trunk: Annotated[str | None, Meta(description="The trunk's id.")] = None
    engine_died: bool = False
    merged_into: Annotated[
        str | None, Meta(description="The call that this one was joined with, and that went on.")
    ] = None


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
    """A record as the Open API shows it, from its columns by their names."""
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
    """The record as the Open API shows it."""
    return history_row(*_of_record(record))

"""The record of a finished call, and all that is told of it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from trunkline.calls.facts import Class, Direction, Party
from trunkline.calls.words import StatusDetail as StatusDetail


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The finished call, as history keeps it. Times (``…_at``) are unix microseconds, durations seconds.

    What is told of a call is defined here once: the columns of the databases (``store.common.call_columns``),
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

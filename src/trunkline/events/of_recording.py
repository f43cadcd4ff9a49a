"""The public events of a recording that is ready, or has failed."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from trunkline.calls.times import gregorian, rfc3339
from trunkline.events.payloads import RecordingFailed, RecordingReady, Variables
from trunkline.events.state import FailureReason, RecordingState
from trunkline.events.stored import Announcement


def recording_ready(
    account_id: str,
    call_id: str,
    name: str,
    *,
    client_ref: str | None = None,
    size: int,
    seconds: float,
    at: int,
    msg_id: int,
) -> Announcement:
    """The recording can be played. ``size`` is in bytes; ``at`` and ``msg_id`` unix microseconds."""
    state = RecordingState(
        name=name,
        call_id=call_id,
        client_ref=client_ref,
        status="ready",
        bytes=size,
        seconds=seconds,
        reason=None,
    )
    said = _said(account_id, state, at, msg_id)
    body = RecordingReady(media_length=size, duration_seconds=str(round(seconds)), **said)
    return Announcement(account_id, "call", "RECORDING_READY", call_id, at, body, call_id)


def recording_failed(
    account_id: str,
    call_id: str,
    name: str,
    *,
    client_ref: str | None = None,
    reason: FailureReason,
    at: int,
    msg_id: int,
) -> Announcement:
    state = RecordingState(
        name=name,
        call_id=call_id,
        client_ref=client_ref,
        status="failed",
        bytes=None,
        seconds=None,
        reason=reason,
    )
    body = RecordingFailed(failure_reason=reason, **_said(account_id, state, at, msg_id))
    return Announcement(account_id, "call", "RECORDING_FAILED", call_id, at, body, call_id)


def _said(account_id: str, state: RecordingState, at: int, msg_id: int) -> dict[str, Any]:
    client_ref = state.client_ref or UNSET
    return {
        "timestamp": gregorian(at),
        "event_time": rfc3339(at),
        "msg_id": str(msg_id),
        "call_id": state.call_id,
        "client_ref": client_ref,
        "recorded_id": state.call_id,
        "media_name": state.name,
        "custom_channel_vars": Variables(
            account_id=account_id, call_interaction_id=state.call_id, client_ref=client_ref
        ),
        "state": state,
    }

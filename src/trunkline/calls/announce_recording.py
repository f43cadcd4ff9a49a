"""The public events of a recording."""

from __future__ import annotations

from typing import Any

from trunkline.calls.announce import GREGORIAN
from trunkline.calls.record import Announcement


def recording_ready(
    account_id: str, call_id: str, name: str, *, size: int, seconds: float, at: int, msg_id: int
) -> Announcement:
    """The recording can be played. ``size`` is in bytes; ``at`` and ``msg_id`` unix microseconds."""
    said = {"Media-Length": size, "Duration-Seconds": str(round(seconds))}
    return _announce("RECORDING_READY", account_id, call_id, name, at, msg_id, said)


def recording_failed(
    account_id: str, call_id: str, name: str, *, reason: str, at: int, msg_id: int
) -> Announcement:
    """There will be no recording of this call, for a ``reason`` in a few words."""
    said = {"Failure-Reason": reason}
    return _announce("RECORDING_FAILED", account_id, call_id, name, at, msg_id, said)


def _announce(
    event: str, account_id: str, call_id: str, name: str, at: int, msg_id: int, said: dict[str, Any]
) -> Announcement:
    body = {
        "Event-Category": "call_event",
        "Event-Name": event,
        "Call-ID": call_id,
        "Media-Name": name,
        **said,
        "Timestamp": at // 1_000_000 + GREGORIAN,
        "Msg-ID": str(msg_id),
        "Custom-Channel-Vars": {"Account-ID": account_id, "Call-Interaction-ID": call_id},
    }
    return Announcement(account_id, "call", event, call_id, at, body, call_id)

"""What stands in a recording's file beside its sound: whose call it was, and when."""

from __future__ import annotations

from collections.abc import Mapping

from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord
from trunkline.calls.times import rfc3339
from trunkline.store.ports.database import Recording
from trunkline.store.ports.history import History


class RecordingTags:
    """The tags of a recording, of its call's record. A file that has gone astray tells what it is."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def __call__(self, recording: Recording) -> Mapping[str, str]:
        whole = await self._history.whole(recording.account_id, recording.call_id, 0, 0)
        return {} if whole.row is None else tags(whole.row)


def tags(record: CallRecord) -> dict[str, str]:
    """The four names that every format has; what only a machine asks for stands in ``comment``, too."""
    caller, callee = _shown(record.caller), _shown(record.callee)
    details = {
        "call_id": record.call_id,
        "caller": record.caller.number,
        "callee": record.callee.number,
        "direction": record.direction,
        "started_at": rfc3339(record.started_at),
        "answered_at": "" if record.answered_at is None else rfc3339(record.answered_at),
        "ended_at": rfc3339(record.ended_at),
        "client_ref": record.client_ref or "",
    }
    told = {name: text for name, text in details.items() if text}
    return {
        "title": f"{caller} to {callee}",
        "artist": caller,
        "date": rfc3339(record.started_at),
        "comment": "\n".join(f"{name}={text}" for name, text in told.items()),
        **told,
    }


def _shown(party: Party) -> str:
    return f"{party.name} ({party.number})" if party.name else party.number or "anonymous"

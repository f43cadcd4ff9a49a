"""What was told, beside what the phones know."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from whole.listener import Seen
from whole.truth import oddities

from .traffic import Attempt

_SECOND = 2.5
"""A bill is in whole seconds, and phones on a busy machine tell of a call's begin and end late."""


_OFFLINE = {"in": 480, "click": 400}
"""What a caller is told where a phone is not registered."""

_PATIENCE = 1.9
"""Seconds. A click waits for the database for 2; a busy machine may need more."""
_LATER = (503, 500)
"""RFC 3261, 21.5: Asterisk says 500 to a phone whose password it cannot look up."""


_SET = (480, 401)
"""Asterisk rings by the clock on the wall: where that is set, who rings has rung for too long, and a challenge is
too old, which is told by another one."""


class Window(NamedTuple):
    """A fault: from when until when (monotonic seconds) all was well again, and what it may refuse."""

    name: str
    start: float
    end: float
    refuses: str


def findings(
    attempts: Sequence[Attempt],
    windows: Sequence[Window],
    events: Sequence[Seen],
    records: Sequence[dict[str, Any]],
    posted: Sequence[int],
) -> list[str]:
    """All that is not true; nothing, it is hoped."""
    of = defaultdict[str, list[dict[str, Any]]](list)
    for record in records:
        for number in {record["caller"]["number"], record["callee"]["number"]}:
            of[number].append(record)
    return [
        *_log(events, records, posted),
        *(line for each in attempts for line in _attempt(each, windows, of[each.number])),
    ]


def _log(
    events: Sequence[Seen], records: Sequence[dict[str, Any]], posted: Sequence[int]
) -> list[str]:
    numbers = [each.seq for each in events]
    odd = (
        [] if numbers == [*range(1, len(numbers) + 1)] else ["the event log has a gap or a repeat"]
    )
    twice = [one for one, count in Counter(r["call_id"] for r in records).items() if count > 1]
    odd += [f"{one}: two records" for one in twice]
    by_call: dict[str, list[Seen]] = {}
    for each in events:
        if each.call_id:
            by_call.setdefault(each.call_id, []).append(each)
    known = {one["call_id"]: one for one in records}
    for call_id, told in by_call.items():
        odd += [f"{call_id}: {line}" for line in oddities(told, known.get(call_id))]
    odd += [f"{call_id}: a record without events" for call_id in known.keys() - by_call.keys()]
    missing = set(numbers) - set(posted)
    return [*odd, *([f"the webhook never got {sorted(missing)[:9]}"] if missing else [])]


def _attempt(
    attempt: Attempt, windows: Sequence[Window], records: Sequence[dict[str, Any]]
) -> list[str]:
    meanwhile = [
        each
        for each in windows
        if each.start <= (attempt.spoke[1] if attempt.spoke else attempt.decided_at) + 1
        and attempt.placed_at <= each.end
    ]
    odd = list(_untrue(attempt, meanwhile, records))
    during = ", ".join(each.name for each in meanwhile) or "no fault"
    what = f"{attempt.kind} {attempt.number} ({attempt.code}{attempt.said}, spoke {attempt.seconds:.1f} s, {during})"
    return [f"{what}: {line}" for line in odd]


def _untrue(
    attempt: Attempt, meanwhile: Sequence[Window], records: Sequence[dict[str, Any]]
) -> list[str]:
    if len(records) > 1:
        return [f"{len(records)} records"]
    record = records[0] if records else None
    died = any(each.name in ("engine", "both") for each in meanwhile)
    odd = []
    if attempt.odd and not died:
        odd.append(attempt.odd)
    if attempt.spoke:
        odd += _spoken(attempt, record, died)
    elif attempt.code >= 300:
        odd += _refused(attempt, meanwhile, record)
    elif attempt.kind != "click" and not died:
        odd.append("neither answered nor refused")
    if attempt.call_id and (record is None or record["call_id"] != attempt.call_id):
        odd.append(f"the click was promised as {attempt.call_id}, which has no record")
    return odd


def _spoken(attempt: Attempt, record: dict[str, Any] | None, died: bool) -> list[str]:
    if record is None:
        return ["it left no record"]
    billed, spoke = record["billing_seconds"], attempt.seconds
    least = 0 if died else spoke - _SECOND
    if not least <= billed <= spoke + _SECOND or record["duration_seconds"] > spoke + 60:
        return [f"billed {billed} s of {record['duration_seconds']} s"]
    wrong = record["status_detail"] != "SUCCESS" and not died
    return [f"its record says {record['status_detail']}"] if wrong else []


def _refused(
    attempt: Attempt, meanwhile: Sequence[Window], record: dict[str, Any] | None
) -> list[str]:
    odd = []
    may = {each.refuses for each in meanwhile}
    if attempt.code == _OFFLINE.get(attempt.kind):
        if "phones" not in may:
            odd.append("its phone is not offline")
    elif attempt.code in _SET and any(each.name == "clock" for each in meanwhile):
        pass
    elif attempt.code not in _LATER:
        odd.append("it may work later, which is not what was said")
    elif not may & ({"calls", "clicks"} if attempt.kind == "click" else {"calls"}) and not (
        attempt.kind == "click" and attempt.decided_at - attempt.placed_at >= _PATIENCE
    ):
        odd.append("nothing was wrong")
    if record is not None and (record["status_detail"] == "SUCCESS" or record["billing_seconds"]):
        odd.append(f"refused, and its record says {record['status_detail']}")
    if record is not None and attempt.kind == "click" and record["billing_seconds"]:
        odd.append("a refused click was a call")
    return odd

"""What was told, beside what is true."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from whole.firm import says
from whole.listener import Seen
from whole.soundness import merges, unsound
from whole.tones import Sound

from .truth import TrueCall

NEAR = 10
"""Seconds between an INVITE and the event of it, at most."""
EARLY, LATE = 0.8, 1.8
"""How far a record's whole seconds of talk, rounded up, may be from what two phones measured."""
OFF = 1.0
"""How far a recording's length may be from the talk.

On a busy machine all of these grow by how late the phones' own packets were."""
STATUSES = {
    "answered": "SUCCESS",
    "busy": "BUSY",
    "unanswered": "UNSUCCESS",
    "cancelled": "CANCELLED",
    "ivr": "IVR",
}


@dataclass
class Told:
    """Everything that the server tells of the account."""

    events: list[Seen]
    records: list[dict[str, Any]]
    shown: dict[str, dict[str, Any]]
    sounds: dict[str, Sound]
    totals: dict[str, Any]
    left: list[str]
    """Files that still wait in the spool."""


@dataclass(frozen=True)
class Difference:
    """What is told and not true, or true and not told; of one plan's call, or of all (None).

    ``explained`` says what was killed meanwhile, where that can be why.
    """

    plan: int | None
    what: str
    explained: str = ""


def compare(truths: list[TrueCall], told: Told, unsure: list[float]) -> list[Difference]:
    """Every difference. ``unsure`` is when clicks were sent whose answer never came."""
    ids = identified(truths, told.events)
    records = {record["call_id"]: record for record in told.records}
    found = [
        Difference(None, line) for line in unsound(told.events, told.records, told.shown)
    ] + _totals(told)
    found += [Difference(None, f"{name} is left in the spool") for name in told.left]
    known = set(ids.values())
    extra = [one for one in records if one not in known and not _from_a_click(one, told, unsure)]
    found += [Difference(None, f"a call that nobody made: {records[one]}") for one in extra]
    into = merges(told.events)
    for at, truth in enumerate(truths):
        if truth.unplayed:
            continue
        call_id = ids.get(at, "")
        lines = _of_one(truth, records.get(call_id), told.sounds.get(call_id))
        if call_id in records:
            went = next((ids.get(i) for i, each in enumerate(truths) if each is truth.into), None)
            if into.get(call_id) != went:
                lines.append(f"merged into {into.get(call_id)}, in truth into {went}")
        explained = "it was disturbed by a kill" if truth.disturbed else ""
        found += [Difference(truth.plan, f"{call_id}: {line}", explained) for line in lines]
    return found


def identified(truths: list[TrueCall], events: list[Seen]) -> dict[int, str]:
    """The call_id of each true call (by its place in the list): promised, or nearest in time."""
    ids = {at: truth.clicked for at, truth in enumerate(truths) if truth.clicked}
    first: dict[str, Seen] = {}
    for seen in events:
        if seen.name == "CHANNEL_CREATE" and seen.data["call_direction"] == "inbound":
            first.setdefault(seen.call_id, seen)
    made: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for call_id, seen in first.items():
        who = seen.data["custom_channel_vars"].get("username") or _user(seen.data["from"])
        key = (who, _user(seen.data["request"]))
        made.setdefault(key, []).append((int(seen.data["msg_id"]) / 1e6, call_id))
    for at, truth in enumerate(truths):
        near = made.get(truth.dialled, [])
        if at in ids or not near:
            continue
        best = min(near, key=lambda one: abs(one[0] - truth.dialled_at))
        if abs(best[0] - truth.dialled_at) <= NEAR:
            ids[at] = best[1]
            near.remove(best)
    return ids


def _of_one(truth: TrueCall, record: dict[str, Any] | None, sound: Sound | None) -> list[str]:
    if record is None:
        return [f"no record of {truth.says}"]
    lines = [] if says(record) == truth.says else [f"{says(record)}, in truth {truth.says}"]
    billing, seconds = record["billing_seconds"], truth.seconds
    early, late = EARLY + truth.late, LATE + truth.late
    if not seconds - early <= billing <= seconds + late or bool(billing) != truth.answered:
        lines.append(f"billing {billing}, in truth {seconds:.2f} (late by {truth.late:.2f})")
    if billing > record["duration_seconds"]:
        lines.append(f"billing {billing} of {record['duration_seconds']} s")
    if bool(record["recording"]) != truth.answered:
        lines.append(f"recording {record['recording']!r}, answered: {truth.answered}")
    if truth.answered and sound is None:
        lines.append("no recording that can be played")
    if truth.answered and sound is not None:
        lines += _of_sound(truth, sound)
    return lines


def _of_sound(truth: TrueCall, sound: Sound) -> list[str]:
    lines = []
    if abs(sound.seconds - truth.seconds) > OFF + 2 * truth.late:
        lines.append(
            f"{sound.seconds:.2f} s are recorded, in truth {truth.seconds:.2f} "
            f"(late by {truth.late:.2f})"
        )
    for channel, side in enumerate(("left", "right")):
        wanted = list(dict.fromkeys(truth.spoke[channel]))
        tones = [_nearest(tone, truth) for tone, _ in sound.said(channel, 0.2)]
        heard = list(dict.fromkeys(tone for tone in tones if tone))
        if heard != wanted:
            lines.append(f"on the {side}: {sound.said(channel, 0.2)}, in truth {wanted}")
    return lines


def _nearest(tone: float, truth: TrueCall) -> int:
    """The tone of somebody in the call that this is; 0 for what is none."""
    return next((one for side in truth.spoke for one in side if abs(one - tone) <= 12), 0)


def _from_a_click(call_id: str, told: Told, unsure: list[float]) -> bool:
    begun = [int(seen.data["msg_id"]) / 1e6 for seen in told.events if seen.call_id == call_id]
    return any(abs(begun[0] - sent) <= NEAR for sent in unsure) if begun else False


def _totals(told: Told) -> list[Difference]:
    """The statistics are the sums of the records."""
    outcomes = Counter(record["status_detail"] for record in told.records)
    wanted = {name: outcomes[status] for name, status in STATUSES.items()}
    wanted |= {
        "calls": len(told.records),
        "talk_seconds": sum(record["billing_seconds"] for record in told.records),
        "duration_seconds": sum(record["duration_seconds"] for record in told.records),
        "outgoing": sum(record["direction"] == "from_ab" for record in told.records),
    }
    return [
        Difference(None, f"statistics: {name} {told.totals[name]}, by the records {value}")
        for name, value in wanted.items()
        if told.totals[name] != value
    ]


def _user(field: str) -> str:
    return field.partition("@")[0]

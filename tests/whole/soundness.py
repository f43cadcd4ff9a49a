"""What is true of any calls, however they went: each leg and call begins and ends once, and so on."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from .listener import Seen, snake

Record = dict[str, Any]


def unsound(
    events: list[Seen], records: list[Record], shown: dict[str, Record], unlisted: int = 0
) -> list[str]:
    """What is not as the contract says of any calls; nothing, it is hoped.

    ``shown`` is what /v1 says of every call that was announced or promised; ``unlisted`` is how
    many of them may be in no history.
    """
    odd = _numbers(events) + _legs(events) + _places(events)
    odd += _ends(events, records, shown, unlisted)
    for seen in events:
        odd += _merge(seen, events) if seen.name == "CALL_MERGED" else []
    into = merges(events)
    for call_id, one in shown.items():
        odd += [f"/v1 says that {call_id} is live"] if one["live"] else []
        if one.get("merged_into") != into.get(call_id):
            went = one.get("merged_into")
            odd.append(f"/v1: {call_id} merged_into {went}, not {into.get(call_id)}")
    return odd


def merges(events: list[Seen]) -> dict[str, str]:
    """Which call went into which."""
    return {
        seen.call_id: seen.data["into_call_id"] for seen in events if seen.name == "CALL_MERGED"
    }


def _numbers(events: list[Seen]) -> list[str]:
    seqs = [seen.seq for seen in events]
    whole = not seqs or seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    return [] if whole else [f"numbers of events: {seqs}"]


def _legs(events: list[Seen]) -> list[str]:
    counted = Counter(
        (seen.name, seen.data["call_id"]) for seen in events if seen.name.startswith("CHANNEL_")
    )
    odd = [
        f"{name} x{counted[name, leg]} of leg {leg}"
        for leg in sorted({leg for _, leg in counted})
        for name in ("CHANNEL_CREATE", "CHANNEL_DESTROY")
        if counted[name, leg] != 1
    ]
    return odd + [
        f"{name} x{many} of leg {leg}"
        for (name, leg), many in counted.items()
        if name in ("CHANNEL_ANSWER", "CHANNEL_PROGRESS") and many > 1
    ]


def _places(events: list[Seen]) -> list[str]:
    """From whom a leg is and whom it calls does not change, whatever becomes of its call."""
    said: dict[tuple[str, str], set[str]] = defaultdict(set)
    for seen in events:
        if seen.name.startswith("CHANNEL_"):
            for key in ("from", "to", "request", "caller_id_number", "callee_id_number"):
                said[seen.data["call_id"], key].add(seen.data.get(key, ""))
    return [
        f"{key} of leg {leg}: {values}" for (leg, key), values in said.items() if len(values) > 1
    ]


def _ends(
    events: list[Seen], records: list[Record], shown: dict[str, Record], unlisted: int
) -> list[str]:
    told = [seen for seen in events if seen.name == "CALL_ENDED"]
    ended, listed = (
        Counter(seen.call_id for seen in told),
        Counter(record["call_id"] for record in records),
    )
    odd = [f"CALL_ENDED x{many} of {one}" for one, many in ended.items() if many != 1]
    odd += [f"no CALL_ENDED of {one}" for one in shown if one not in ended]
    odd += [f"{many} records of {one}" for one, many in listed.items() if many != 1]
    if len(missing := [one for one in shown if one not in listed]) > unlisted:
        odd.append(f"not in the history: {missing}")
    last = {seen.call_id: seen.data for seen in told}
    for record in records:
        event = last.get(record["call_id"], {})
        odd += [
            f"{key} of {record['call_id']}: {event.get(key)!r} in the event, {value!r} later"
            for key, value in snake(record).items()
            if event and event.get(key) != value
        ]
    return odd


def _merge(merged: Seen, events: list[Seen]) -> list[str]:
    """Of CALL_MERGED: whose it is, what comes after it, and under which call."""
    absorbed, into = merged.call_id, merged.data["into_call_id"]
    odd = [] if merged.data.get("call_id") == absorbed else [f"Call-ID of {merged}"]
    later = [seen for seen in events if seen.seq > merged.seq]
    again = next((e.data["into_call_id"] for e in later
                  if e.name == "CALL_MERGED" and e.call_id == into), None)  # fmt: skip
    moved = set(merged.data["leg_call_ids"])
    odd += [
        f"{seen.name} of leg {seen.data['call_id']} under {seen.call_id} after its merge"
        for seen in later
        if seen.name.startswith("CHANNEL_")
        and (
            seen.call_id == absorbed
            or (seen.data["call_id"] in moved and seen.call_id not in (into, again))
        )
    ]
    known = {
        seen.data["call_id"]
        for seen in events
        if seen.name == "CHANNEL_CREATE" and seen.seq < merged.seq
    }
    odd += [f"legs that nobody knows: {moved - known}"] if moved - known or not moved else []
    ends = [seen.call_id for seen in later if seen.name == "CALL_ENDED"]
    if absorbed not in ends or into not in ends or ends.index(absorbed) > ends.index(into):
        odd.append(f"CALL_ENDED after the merge: {ends}")
    return odd

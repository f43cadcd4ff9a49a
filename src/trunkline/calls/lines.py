"""How many lines to the outside live calls have taken, and how many legs, as far as what the engine has told says."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from trunkline.calls.call import Call, Leg


class Lines(NamedTuple):
    """The lines that a device and its account hold, and those that are taken of a trunk (calls in hold one, too)."""

    device: int = 0
    account: int = 0
    trunk: int = 0


Holder = tuple[str, ...]


class LiveLines:
    """What all live calls hold, kept as each of them changes: to ask costs the same however many there are."""

    def __init__(self) -> None:
        self._of: dict[str, Counter[Holder]] = {}
        self._held: Counter[Holder] = Counter()

    def changed(self, call: Call) -> None:
        """It has begun, has changed, or is over."""
        self._held.subtract(before := self._of.pop(call.id, Counter()))
        if not call.over:
            self._of[call.id] = _held(call)
            self._held.update(self._of[call.id])
        for holder in before:
            if not self._held[holder]:
                del self._held[holder]

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._of

    def lines(self, account_id: str, sip_user: str, trunk: str) -> Lines:
        """A click whose phone has not been picked up yet holds the line that it will need, whichever that is."""
        held = self._held
        waiting = held["waiting", account_id]
        return Lines(
            device=held["device", account_id, sip_user],
            account=held["account", account_id] + waiting,
            trunk=held["trunk", account_id, trunk] + waiting,
        )

    def legs(self, account_id: str | None = None) -> int:
        """How many an account has, or all; a click holds the two that it will need."""
        return self._held["legs",] if account_id is None else self._held["legs", account_id]


def _held(call: Call) -> Counter[Holder]:
    held: Counter[Holder] = Counter()
    live = sum(leg.ended_at is None for leg in call.legs.values())
    held["legs",] = held["legs", call.account_id] = max(live, 2 if call.origin == "click" else 0)
    for leg in call.legs.values():
        if _is_line(leg):
            held["trunk", call.account_id, leg.endpoint or ""] += 1
            if leg.direction == "outbound":
                held["account", call.account_id] += 1
                held["device", call.account_id, _dialled_by(call, leg) or ""] += 1
    if call.origin == "click" and call.class_ == "trunking" and not call.routed_at:
        held["waiting", call.account_id] += 1
        if call.caller is not None:
            held["device", call.account_id, call.caller.number or ""] += 1
    return held


def _is_line(leg: Leg) -> bool:
    return leg.endpoint_kind == "trunk" and leg.ended_at is None


def _dialled_by(call: Call, leg: Leg) -> str | None:
    dialler = call.legs.get(leg.dialled_by or "")
    return dialler.endpoint if dialler else None

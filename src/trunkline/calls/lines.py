"""How many lines to the outside live calls have taken, as far as what the engine has told says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from trunkline.calls.call import Call, Leg


class Lines(NamedTuple):
    """The lines that a device and its account hold, and those that are taken of a trunk (calls in hold one, too)."""

    device: int = 0
    account: int = 0
    trunk: int = 0


def lines(calls: Iterable[Call], account_id: str, sip_user: str, trunk: str) -> Lines:
    """A click whose phone has not been picked up yet holds the line that it will need."""
    device = account = of_trunk = 0
    for call in calls:
        if call.account_id != account_id:
            continue
        out = [leg for leg in call.legs.values() if _is_line(leg)]
        of_trunk += sum(leg.endpoint == trunk for leg in out)
        out = [leg for leg in out if leg.direction == "outbound"]
        waiting = call.origin == "click" and call.class_ == "trunking" and not call.routed_at
        account += len(out) + waiting
        of_trunk += waiting
        device += sum(_dialled_by(call, leg) == sip_user for leg in out)
        device += waiting and call.caller is not None and call.caller.number == sip_user
    return Lines(device, account, of_trunk)


def live_legs(calls: Iterable[Call]) -> Counter[str]:
    """How many legs each account has; a click holds the two that it will need."""
    legs: Counter[str] = Counter()
    for call in calls:
        live = sum(leg.ended_at is None for leg in call.legs.values())
        legs[call.account_id] += max(live, 2 if call.origin == "click" else 0)
    return legs


def _is_line(leg: Leg) -> bool:
    return leg.endpoint_kind == "trunk" and leg.ended_at is None


def _dialled_by(call: Call, leg: Leg) -> str | None:
    dialler = call.legs.get(leg.dialled_by or "")
    return dialler.endpoint if dialler else None

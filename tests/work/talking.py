"""A call in which a customer talks with the phone an1, by a trunk: what its log would tell."""

from __future__ import annotations

from typing import Any

from trunkline.calls import facts as f

from .desk import SECOND, Desk

CALL, TRUNK_LEG, PHONE_LEG = "call-1", "leg-trunk", "leg-an1"


def up(desk: Desk, leg_id: str, at: int, **more: Any) -> list[f.AnyFact]:
    """A leg that has begun, was answered, and is in the bridge."""
    values: dict[str, Any] = {"call_id": CALL, "leg_id": leg_id}
    started = f.LegStarted(**values, at=at, account_id=desk.account.account_id, **more)
    answered = f.LegAnswered(**values, at=at + 1)
    return [started, answered, f.LegJoined(**values, at=at + 2, bridge_id="b")]


def phone(desk: Desk, leg_id: str, at: int) -> list[f.AnyFact]:
    """The same of a leg of an1."""
    return up(desk, leg_id, at, endpoint="an1", direction="outbound", endpoint_kind="device")


async def talk(desk: Desk) -> None:
    """They talk, from a second after ``desk.now`` on."""
    trunk = up(
        desk, TRUNK_LEG, desk.now, endpoint="trunk-x", direction="inbound", endpoint_kind="trunk"
    )
    await desk.calls.record([*trunk, *phone(desk, PHONE_LEG, desk.now + SECOND)])

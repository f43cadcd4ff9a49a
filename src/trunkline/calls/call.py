"""A call and its legs: frozen values that only the fold makes.

Times are unix microseconds. A leg is one channel of the switch; a call is all that belongs to one
record, however many legs it has had.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from trunkline.calls.facts import Class, Direction, LegDirection, Party
from trunkline.calls.recording_plan import Joined, Stretch

Origin = Literal["click", "device", "trunk"]


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One channel, from its start to its end.

    ``was_bridged`` are the times in which it was in a bridge and ``was_joined`` those of them in which
    it was not alone there; the present one is added when it is over. ``here_from``: when it came into
    this call, if it began in another one.
    """

    id: str
    direction: LegDirection
    endpoint: str
    endpoint_kind: Literal["device", "trunk"]
    party: Party
    caller_number: str
    caller_name: str
    dialled: str
    started_at: int
    ringing_at: int | None = None
    answered_at: int | None = None
    bridge: str | None = None
    bridged_at: int = 0
    joined_with: str | None = None
    joined_at: int | None = None
    talked: int = 0
    was_bridged: tuple[Stretch, ...] = ()
    was_joined: tuple[Joined, ...] = ()
    here_from: int = 0
    held: bool = False
    held_at: int = 0
    hung_up_at: int | None = None
    cause: int = 0
    hung_up_itself: bool = False
    dial_status: str = ""
    sip_code: int | None = None
    ended_at: int | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a call. ``legs`` keeps the order in which they started.

    ``dialled`` is what the caller asked for, ``dialling`` what a transfer has since asked for.
    """

    id: str
    account_id: str
    origin: Origin
    started_at: int
    class_: Class | None = None
    direction: Direction | None = None
    caller: Party | None = None
    callee: Party | None = None
    dialled: str = ""
    dialling: str = ""
    routed_at: int = 0
    did_number: str | None = None
    shown_as: str = ""
    recording: str = ""
    client_ref: str | None = None
    app_id: str | None = None
    refused: bool = False
    legs: dict[str, Leg] = {}
    talking_since: int | None = None
    talked: int = 0
    first_answer: str | None = None
    engine_died: bool = False
    ended_at: int | None = None
    withdrawn: bool = False

    @property
    def first_leg(self) -> Leg | None:
        """The leg that began the call: the caller's."""
        return next(iter(self.legs.values()), None)

    @property
    def over(self) -> bool:
        """Nothing more can happen to it."""
        return self.ended_at is not None or self.withdrawn

    def in_bridge(self, bridge: str | None) -> list[Leg]:
        """The legs that are in this bridge now, in the order in which they started."""
        if bridge is None:
            return []
        return [leg for leg in self.legs.values() if leg.bridge == bridge]

"""A call and its legs: frozen values that only the fold makes.

Times are unix microseconds. A leg is one channel of the switch; a call is all that belongs to one
record, however many legs it has had.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from trunkline.calls.facts import Class, Direction, LegDirection, Party
from trunkline.calls.quality import Quality
from trunkline.calls.recording_names import RecordingFormat
from trunkline.calls.recording_plan import Joined, Stretch
from trunkline.calls.refusals import Refusal

Origin = Literal["click", "device", "trunk"]
Role = Literal["caller", "dialled", "consulted", "member"]
"""What a leg is in its call: ``caller`` began it, ``dialled`` was dialled in it, ``consulted`` was dialled
in another call that has become part of it, ``member`` came to it in any other way (its own call has
become part of it, or it picked up)."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One channel, from its start to its end.

    ``joined_with`` are the legs that it talks with or, where ``joined_at`` is None, the ones that it talked
    with last, in the order in which they started.
    ``was_bridged`` are the times that it spent in a bridge, and ``was_joined`` those of them in which
    it was not alone there; the present one is added when it is over. ``here_from`` is when it came into
    this call, if it began in another one.
    """

    id: str
    role: Role = "dialled"
    dialled_by: str | None = None
    direction: LegDirection
    endpoint: str
    endpoint_kind: Literal["device", "trunk"]
    party: Party
    caller_number: str
    caller_name: str
    dialled: str
    shown_as: str = ""
    """What its phone shows: the caller ID with which it was dialled outside or, where a click rings it,
    the number that was clicked. Empty where the phone shows the number of whoever dials.
    """
    started_at: int
    ringing_at: int | None = None
    answered_at: int | None = None
    bridge: str | None = None
    bridged_at: int = 0
    joined_with: tuple[str, ...] = ()
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
    lost_race: bool = False
    ended_at: int | None = None
    fell_silent_at: int | None = None
    """When the last sign of life came from its far end; set when that is long ago."""
    quality: Quality | None = None
    """How its audio went; known once it hangs up, of a leg that was up."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A destination on the call's way (``kind``: a user, an announcement …), from when to when.

    ``result`` is why the call went on from there; None while it is there, or where it stayed.
    """

    id: str
    kind: str
    party: Party | None = None
    entered_at: int
    left_at: int | None = None
    result: str | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a call. ``legs`` keeps the order in which they started.

    ``dialled`` is the number that the caller asked for, and ``dialling`` the one that was asked for last:
    a transfer changes it. ``dialling_leg`` is the leg that dials it, and ``shown_as`` its caller ID
    outside. ``absorbed`` are the calls that have become part of this one, ``merged_into`` is the call that
    this one has become part of. ``had_company``: somebody of another call was in a room with it.
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
    dialling_leg: str | None = None
    routed_at: int = 0
    path: tuple[Step, ...] = ()
    did_number: str | None = None
    shown_as: str = ""
    recording: str = ""
    recording_format: RecordingFormat = "mp3"
    client_ref: str | None = None
    app_id: str | None = None
    refused: bool = False
    refusals: tuple[Refusal, ...] = ()
    legs: dict[str, Leg] = {}
    talking_since: int | None = None
    talked: int = 0
    first_answer: str | None = None
    had_company: bool = False
    engine_died: bool = False
    absorbed: tuple[str, ...] = ()
    merged_into: str | None = None
    ended_at: int | None = None
    withdrawn: bool = False
    clock: int | None = None
    """The call's own clock: how many microseconds it is ahead of the machine's monotonic one (``even_times``)."""

    @property
    def caller_leg(self) -> Leg | None:
        return next((leg for leg in self.legs.values() if leg.role == "caller"), None)

    @property
    def dialled_legs(self) -> list[Leg]:
        return [leg for leg in self.legs.values() if leg.role == "dialled"]

    @property
    def reaches_outside(self) -> bool:
        """Does it have an outside party, or was one dialled?"""
        legs = self.legs.values()
        return self.class_ == "trunking" or any(leg.endpoint_kind == "trunk" for leg in legs)

    @property
    def over(self) -> bool:
        return self.ended_at is not None or self.withdrawn

    def in_bridge(self, bridge: str | None) -> list[Leg]:
        if bridge is None:
            return []
        return [leg for leg in self.legs.values() if leg.bridge == bridge]

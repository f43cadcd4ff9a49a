"""The facts that a call is made of: frozen values, one kind for each, named in the past tense.

Facts are what the journal keeps. Folding all facts of a call, in their order, gives the call;
nothing else is needed. Every ``at`` is a unix time in whole microseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from trunkline.calls.recording_names import RecordingFormat
from trunkline.calls.refusals import RefusalReason


class Party(msgspec.Struct, frozen=True, omit_defaults=True):
    """One side of a call: an outside number, or a user of the account.

    ``number`` is E.164 or as dialled for an outside number, the device's SIP user name for a user.
    """

    number: str
    username: str | None = None
    name: str = ""
    user_id: str | None = None
    device_id: str | None = None

    @property
    def type(self) -> Literal["user", "realnumber"]:
        """What the Open API calls this party."""
        return "realnumber" if self.username is None else "user"


Class = Literal["one_one", "trunking"]
Direction = Literal["from_ab", "to_ab"]
LegDirection = Literal["inbound", "outbound"]


class Fact(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, kw_only=True):
    """Something that happened at a time in a call."""

    call_id: str
    at: int


class CallRequested(Fact, frozen=True, tag=True):
    """An application asked for a call: the device is to ring first, then ``callee`` is dialled.

    ``shown_as`` is the caller ID for the far end, ``recording`` the raw recording's base name, ``clock`` as
    in LegStarted.
    """

    account_id: str
    app_id: str
    caller: Party
    callee: Party
    class_: Class = msgspec.field(name="class")
    dialled: str
    shown_as: str = ""
    recording: str = ""
    client_ref: str | None = None
    clock: int | None = None


class RequestWithdrawn(Fact, frozen=True, tag=True):
    """The requested call was never sent to the device; the application was told, and no record is made."""

    reason: str


class RouteChosen(Fact, frozen=True, tag=True):
    """The dialplan decided where a call, or a transferred party, goes.

    ``shown_as`` is the caller ID for the far end, ``recording`` the raw recording's base name,
    ``step_id`` and ``step_kind`` the first destination on its way.
    """

    leg_id: str
    class_: Class = msgspec.field(name="class")
    direction: Direction
    dialled: str
    callee: Party | None = None
    did_number: str | None = None
    shown_as: str = ""
    recording: str = ""
    recording_format: RecordingFormat = "mp3"
    refused: bool = False
    step_id: str = ""
    step_kind: str = ""


class LegFact(Fact, frozen=True):
    """A fact about one leg; ``leg_id`` is the channel's unique id."""

    leg_id: str


class StepEntered(LegFact, frozen=True, tag=True):
    """The dialplan led the leg's caller on to a further destination; ``shown_as`` is as in RouteChosen."""

    step_id: str
    kind: str
    party: Party | None = None
    shown_as: str = ""


class StepLeft(LegFact, frozen=True, tag=True):
    """A destination was done with the leg's caller, who goes on to another one."""

    step_id: str
    result: str


class CallRefused(LegFact, frozen=True, tag=True):
    """The switch refused what the leg was led to: ``number``, on behalf of ``device``, if of any."""

    reason: RefusalReason
    number: str = ""
    device: str = ""


class LegStarted(LegFact, frozen=True, tag=True):
    """A channel came to be. ``direction`` is seen from the switch: ``inbound`` is into it.

    ``clock`` is how many microseconds the wall clock was then ahead of the machine's monotonic one.
    """

    account_id: str
    direction: LegDirection
    endpoint: str
    endpoint_kind: Literal["device", "trunk"]
    party: Party | None = None
    caller_number: str = ""
    caller_name: str = ""
    dialled: str = ""
    clock: int | None = None


class LegRinging(LegFact, frozen=True, tag=True):
    """The far end of an outbound leg said that it rings (SIP 180 or 183)."""


class LegAnswered(LegFact, frozen=True, tag=True):
    """The leg was picked up."""


class LegJoined(LegFact, frozen=True, tag=True):
    """The leg entered a bridge."""

    bridge_id: str


class LegLeft(LegFact, frozen=True, tag=True):
    """The leg left a bridge."""

    bridge_id: str


class LegAccompanied(LegFact, frozen=True, tag=True):
    """Somebody of another call is in the room where the leg is: ``by`` is one of their legs."""

    by: str


class LegLeftAlone(LegFact, frozen=True, tag=True):
    """The leg is the only one left in the room where it is."""


class LegHeld(LegFact, frozen=True, tag=True):
    """The leg's phone put the other side on hold."""


class LegUnheld(LegFact, frozen=True, tag=True):
    """The leg's phone took the other side back from hold."""


class LegFellSilent(LegFact, frozen=True, tag=True):
    """Neither audio nor reports have come from the leg's far end since ``last_sign``: it is being hung up."""

    last_sign: int


class LegMeasured(LegFact, frozen=True, tag=True):
    """How the leg's audio went, as the engine counted it when the leg hung up; None is not known.

    Packets, of which so many were lost, and microseconds. ``received`` is what came from its far end, ``sent`` what
    went there, of which loss and jitter are what the far end has reported.
    """

    codec: str = ""
    received: int = 0
    received_lost: int | None = None
    received_jitter: int | None = None
    sent: int = 0
    sent_lost: int | None = None
    sent_jitter: int | None = None
    round_trip: int | None = None


class LegHungUp(LegFact, frozen=True, tag=True):
    """The leg was hung up. ``cause`` is a Q.850 number; ``sip_code`` is what the far end answered.

    ``by`` is true when the far end of this leg hung up itself, false when the switch did. ``taken_over``
    is true when another channel has stood in its place since.
    """

    cause: int
    by: bool = False
    dial_status: str = ""
    sip_code: int | None = None
    taken_over: bool = False


class LegEnded(LegFact, frozen=True, tag=True):
    """The channel is gone."""


class LegPickedUp(LegFact, frozen=True, tag=True):
    """Somebody else answered in place of this leg, which rang."""


class CallMerged(Fact, frozen=True, tag=True):
    """This call goes on with the people of another one; ``facts`` are all of the other's."""

    other_call_id: str
    facts: tuple[AnyFact, ...]


class CallAbsorbed(Fact, frozen=True, tag=True):
    """This call has become part of another one, and is over."""

    into_call_id: str


class CallEnded(Fact, frozen=True, tag=True):
    """Asterisk knows no channel under the call's id any more.

    No row is read as this fact since channels were found to live on under another call's id.
    """


class EngineDied(Fact, frozen=True, tag=True):
    """The engine died with this call open; ``at`` is the last sign of life."""


AnyFact = (
    CallRequested
    | RequestWithdrawn
    | RouteChosen
    | LegStarted
    | LegRinging
    | LegAnswered
    | LegJoined
    | LegLeft
    | LegHeld
    | LegUnheld
    | LegFellSilent
    | LegMeasured
    | LegHungUp
    | LegEnded
    | StepEntered
    | StepLeft
    | CallRefused
    | LegPickedUp
    | LegAccompanied
    | LegLeftAlone
    | CallMerged
    | CallAbsorbed
    | CallEnded
    | EngineDied
)

encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[AnyFact] = msgspec.json.Decoder(AnyFact)


def decode(raw: bytes | str) -> AnyFact:
    """One fact of the journal; raises msgspec.ValidationError for anything else."""
    return _decoder.decode(raw)


replace = msgspec.structs.replace

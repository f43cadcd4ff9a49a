"""The full state that every event carries: what is so after it, in keys of lower case.

All keys are always there; what is not known, or has not happened, is null. Times are RFC 3339 in
UTC with milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from trunkline.calls import outcome
from trunkline.calls.call import Call, Leg, Role, Step
from trunkline.calls.facts import Class, Direction, LegDirection, Party
from trunkline.calls.quality import Quality, Stream
from trunkline.calls.record import CallRecord
from trunkline.calls.times import Time, rfc3339, rfc3339_or_none
from trunkline.calls.words import CallStatus as CallStatus
from trunkline.calls.words import LegStatus as LegStatus
from trunkline.calls.words import StatusDetail

FailureReason = Literal["AUDIO_MISSING", "ENCODING_FAILED"]
TrunkReason = Literal["UNREACHABLE", "CERTIFICATE_REFUSED", "REGISTRATION_REJECTED"]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is so after an event."""


class ShownParty(msgspec.Struct, frozen=True):
    """One side of a call, as the history shows it; ``username`` only where ``type`` is ``user``."""

    number: Annotated[str, Meta(description="The number, or the device of a user.")]
    type: Literal["realnumber", "user"]
    username: str | UnsetType = UNSET


class StreamState(State, frozen=True, kw_only=True):
    """The audio of one direction of a leg; what is not known is null."""

    packets: int
    lost: Annotated[int | None, Meta(description="Packets that never arrived.")]
    loss_percent: float | None
    jitter_ms: Annotated[float | None, Meta(description="The mean interarrival jitter.")]
    mos: Annotated[
        float | None, Meta(description="By the E-model (ITU-T G.107): 1 is bad, 4.41 the best.")
    ]


class QualityState(State, frozen=True, kw_only=True):
    """How a leg's audio went, on the way between Trunkline and its phone or carrier."""

    codec: Annotated[str, Meta(description="`ulaw`, `alaw`, `g722`, `opus` …")]
    received: Annotated[StreamState, Meta(description="What came from there.")]
    sent: Annotated[
        StreamState,
        Meta(
            description="What went there: loss and jitter as its RTCP reports say, if it sent any."
        ),
    ]
    round_trip_ms: Annotated[float | None, Meta(description="There and back, by RTCP.")]


class LegState(State, frozen=True, kw_only=True):
    """One leg of a call: one phone, or one line to a carrier."""

    id: Annotated[str, Meta(description="The `Call-ID` of its events.")]
    direction: Annotated[LegDirection, Meta(description="As the switch sees it.")]
    endpoint: Annotated[str, Meta(description="The device's SIP user name, or the trunk's id.")]
    endpoint_type: Literal["device", "trunk"]
    party: Annotated[ShownParty, Meta(description="Who is at its other end.")]
    status: Annotated[
        LegStatus,
        Meta(
            description="`held` is an answered leg whose phone keeps the other side on hold; "
            "otherwise it only goes forward."
        ),
    ]
    started_at: Time
    ringing_at: Time | None
    answered_at: Time | None
    role: Annotated[
        Role,
        Meta(
            description="`caller` began the call. `dialled` was dialled in it. `consulted` was dialled in "
            "another call that has become part of it, and `member` came to it in another way."
        ),
    ]
    joined_with: Annotated[str | None, Meta(description="The leg that it talks with now.")]
    joined_legs: Annotated[list[str], Meta(description="All legs that it talks with now.")]
    held: bool
    ended_at: Time | None
    hangup_cause: Annotated[str | None, Meta(description="Why it ended: `NORMAL_CLEARING` …")]
    sip_code: Annotated[int | None, Meta(description="What its far end refused with, such as 486.")]
    quality: Annotated[
        QualityState | None, Meta(description="Once it hangs up, of a leg that was picked up.")
    ]


class StepState(State, frozen=True, kw_only=True):
    """A destination on a call's way."""

    kind: Annotated[
        str, Meta(description="`user`, `outside` (a number), `announcement`, `hangup` …")
    ]
    id: Annotated[str | None, Meta(description="The destination; null for a number as dialled.")]
    party: Annotated[ShownParty | None, Meta(description="The user, or the number.")]
    entered_at: Time
    left_at: Annotated[Time | None, Meta(description="When the call went on to the next one.")]
    result: Annotated[
        str | None,
        Meta(
            description="Why it did: `busy`, `no_answer`, `offline`, `failed`, `forwarded`, `played`"
        ),
    ]


class CallState(State, frozen=True, kw_only=True):
    """A call with all its legs, in the order in which they began."""

    id: Annotated[str, Meta(description="The `call_id` of history, recordings and events.")]
    account_id: str
    status: Annotated[
        CallStatus,
        Meta(
            description="`requested`: asked for, nothing has been dialled. `started`: a leg exists. "
            "`ringing`: a phone rings. `answered`: a leg was picked up. `talking`: two legs have "
            "been joined. `held`: so, and one keeps the other on hold. `ended`. It only goes "
            "forward, but for `talking` and `held`, which take turns."
        ),
    ]
    class_: Annotated[Class | None, Meta(description="Internal, or by a trunk.")] = msgspec.field(
        name="class"
    )
    direction: Annotated[Direction | None, Meta(description="Outbound, or inbound.")]
    caller: ShownParty | None
    callee: Annotated[
        ShownParty | None, Meta(description="Whom the caller wants, then the first who answered.")
    ]
    did_number: Annotated[str | None, Meta(description="The dialled number of an inbound call.")]
    client_ref: Annotated[str | None, Meta(description="Yours, from the click-to-call.")]
    recording: Annotated[
        str | None, Meta(description="The recording's name, once two people were joined.")
    ]
    started_at: Time
    answered_at: Annotated[
        Time | None, Meta(description="When the one who talked first picked up.")
    ]
    ended_at: Time | None
    status_detail: Annotated[StatusDetail | None, Meta(description="The outcome, once it is over.")]
    hangup_cause: Annotated[str | None, Meta(description="Why it ended, once it is over.")]
    duration_seconds: Annotated[int | None, Meta(description="Once it is over.")]
    billing_seconds: Annotated[int | None, Meta(description="Once it is over.")]
    merged_into: Annotated[
        str | None, Meta(description="The call that it has become part of, and that goes on.")
    ]
    path: Annotated[list[StepState], Meta(description="The way that the call took.")]
    legs: list[LegState]


class RecordingState(State, frozen=True, kw_only=True):
    """A recording."""

    name: Annotated[str, Meta(description="For `play_recording`.")]
    call_id: str
    client_ref: str | None
    status: Literal["ready", "failed"]
    bytes: int | None
    seconds: float | None
    reason: Annotated[
        FailureReason | None,
        Meta(
            description="`AUDIO_MISSING`: the engine's audio file never came, or was lost. "
            "`ENCODING_FAILED`: no MP3 could be made of the audio, which is kept on the server."
        ),
    ]


class DeviceState(State, frozen=True, kw_only=True):
    """A device."""

    sip_user: str
    username: str | None
    online: bool
    srtp: Annotated[str, Meta(description="Encrypted sound: off, optional or required.")]
    since: Time


class TrunkState(State, frozen=True, kw_only=True):
    """A trunk: is the carrier there?"""

    id: str
    name: str
    up: bool
    reason: Annotated[TrunkReason | None, Meta(description="Why it is down; null when it is up.")]
    since: Time


class WebhookState(State, frozen=True, kw_only=True):
    """A webhook endpoint that is sent nothing any more."""

    id: str
    url: str
    status: Literal["suspended", "disabled"]
    reason: str
    last_status: Annotated[int | None, Meta(description="The last HTTP status; null for none.")]
    stopped_after: Annotated[int, Meta(description="The last number that it took.")]
    since: Time


def party(one: Party) -> ShownParty:
    if one.username is None:
        return ShownParty(one.number, "realnumber")
    return ShownParty(one.number, "user", one.username)


def call_state(call: Call) -> CallState:
    record = outcome.record(call) if call.ended_at is not None else None
    return CallState(
        id=call.id,
        account_id=call.account_id,
        status=call_status(call),
        class_=record.class_ if record else call.class_,
        direction=record.direction if record else call.direction,
        caller=party(call.caller) if call.caller else None,
        callee=_callee(call, record),
        did_number=call.did_number,
        client_ref=call.client_ref,
        recording=outcome.recording_name(call) or None,
        started_at=rfc3339(call.started_at),
        answered_at=rfc3339_or_none(outcome.answered_at(call)),
        ended_at=rfc3339_or_none(call.ended_at),
        status_detail=record.status_detail if record else None,
        hangup_cause=record.hangup_cause if record else None,
        duration_seconds=record.duration_seconds if record else None,
        billing_seconds=record.billing_seconds if record else None,
        merged_into=call.merged_into,
        path=[step_state(step) for step in call.path],
        legs=[leg_state(call, leg) for leg in call.legs.values()],
    )


def leg_state(call: Call, leg: Leg) -> LegState:
    joined = leg.joined_with if leg.joined_at is not None else ()
    return LegState(
        id=leg.id,
        direction=leg.direction,
        endpoint=_endpoint(leg),
        endpoint_type=leg.endpoint_kind,
        party=party(_party(call, leg)),
        status=leg_status(leg),
        started_at=rfc3339(leg.started_at),
        ringing_at=rfc3339_or_none(leg.ringing_at),
        answered_at=rfc3339_or_none(leg.answered_at),
        role=leg.role,
        joined_with=joined[0] if joined else None,
        joined_legs=list(joined),
        held=leg.held and leg.ended_at is None,
        ended_at=rfc3339_or_none(leg.ended_at),
        hangup_cause=outcome.leg_cause(leg) if leg.ended_at is not None else None,
        sip_code=leg.sip_code,
        quality=quality_state(leg.quality) if leg.quality else None,
    )


def quality_state(of: Quality) -> QualityState:
    return QualityState(
        codec=of.codec,
        received=_stream(of.received),
        sent=_stream(of.sent),
        round_trip_ms=of.round_trip_ms,
    )


def _stream(of: Stream) -> StreamState:
    return StreamState(**msgspec.structs.asdict(of))


def step_state(step: Step) -> StepState:
    return StepState(
        kind=step.kind,
        id=step.id or None,
        party=party(step.party) if step.party else None,
        entered_at=rfc3339(step.entered_at),
        left_at=rfc3339_or_none(step.left_at),
        result=step.result,
    )


def call_status(call: Call) -> CallStatus:
    """How far the call has come. It only goes forward, but for ``talking`` and ``held``, which take turns."""
    if call.over:
        return "ended"
    legs = call.legs.values()
    if call.first_answer is not None:
        return "held" if any(leg.held and leg.ended_at is None for leg in legs) else "talking"
    if any(leg.answered_at is not None for leg in legs):
        return "answered"
    if any(leg.ringing_at is not None for leg in legs):
        return "ringing"
    return "started" if legs else "requested"


def leg_status(leg: Leg) -> LegStatus:
    """How far the leg has come. It only goes forward, but for ``held``."""
    if leg.ended_at is not None:
        return "ended"
    if leg.held:
        return "held"
    if leg.answered_at is not None:
        return "answered"
    return "started" if leg.ringing_at is None else "ringing"


def _callee(call: Call, record: CallRecord | None) -> ShownParty | None:
    found = record.callee if record else outcome.callee(call)
    return party(found) if record or found.number or found.username else None


def _endpoint(leg: Leg) -> str:
    """The engine puts ``trunk-`` before a trunk's id; the trunk's own events do not."""
    return leg.endpoint.removeprefix("trunk-") if leg.endpoint_kind == "trunk" else leg.endpoint


def _party(call: Call, leg: Leg) -> Party:
    """Who is at the leg's other end. The party of an outbound trunk leg is only its caller ID."""
    if leg.direction == "outbound" and leg.endpoint_kind == "trunk":
        return outcome.answerer(call, leg)
    return leg.party

"""What every public event says: one frozen kind for each, in the spelling of Kazoo and Socket.IO.

A key whose value is not known is left out (``UNSET``). ``Event-Seq`` is not known before the event
is stored: the database adds it (``store.common.numbering``). The kinds' docstrings and descriptions are what
the AsyncAPI document and its page show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from trunkline.calls.facts import Class, Direction, LegDirection
from trunkline.calls.quality import Fault
from trunkline.calls.record import StatusDetail
from trunkline.calls.refusals import WHY, RefusalReason
from trunkline.calls.times import Time
from trunkline.calls.words import DeviceStatus, TrunkStatus
from trunkline.events.state import (
    CallState,
    DeviceState,
    FailureReason,
    RecordingState,
    ShownParty,
    TrunkReason,
    TrunkState,
    WebhookState,
)

Known = str | UnsetType
Seconds = Annotated[str, Meta(description="Whole seconds, rounded up.", pattern="^[0-9]+$")]


def kazoo(name: str) -> str:
    """``caller_id_name`` -> ``Caller-ID-Name``."""
    words = name.rstrip("_").split("_")
    return "-".join("ID" if word == "id" else word.capitalize() for word in words)


class Variables(msgspec.Struct, frozen=True, kw_only=True, rename=kazoo):
    """Whose it is."""

    account_id: Annotated[str, Meta(description="The account.")]
    authorizing_id: Annotated[Known, Meta(description="The device.")] = UNSET
    authorizing_type: Literal["device"] | UnsetType = UNSET
    owner_id: Annotated[Known, Meta(description="The device's user.")] = UNSET
    username: Annotated[Known, Meta(description="The same, by name.")] = UNSET
    realm: Annotated[Known, Meta(description="The SIP realm.")] = UNSET
    call_interaction_id: Annotated[Known, Meta(description="The call, as `call_id`.")] = UNSET
    client_ref: Annotated[Known, Meta(description="The same as `clientRef`.")] = UNSET


class Event(msgspec.Struct, frozen=True, kw_only=True, rename=kazoo, tag_field="Event-Name"):
    """What every event says."""

    event_category: str
    timestamp: Annotated[
        int, Meta(description="When, in whole Gregorian seconds: unix time + 62167219200.")
    ]
    event_time: Annotated[Time, Meta(description="When: RFC 3339, UTC, with milliseconds.")]
    msg_id: Annotated[str, Meta(description="Unique; unix microseconds.", pattern="^[0-9]+$")]
    test: Annotated[
        Literal[True] | UnsetType,
        Meta(description="Only in a sample, which was asked for: nothing of it happened."),
    ] = UNSET


class OfCall(Event, frozen=True, kw_only=True):
    """What every event of a call says."""

    event_category: Literal["call_event"] = "call_event"
    call_id: Annotated[
        str, Meta(description="The call: as in history, and in what asked for it.")
    ] = field(name="call_id")
    client_ref: Annotated[Known, Meta(description="Yours, from the click-to-call.")] = field(
        name="clientRef", default=UNSET
    )


Seq = (
    Annotated[int, Meta(description="The number: grows by one with each event of the account.")]
    | UnsetType
)


class OfLeg(OfCall, frozen=True, kw_only=True):
    """What every event of a leg says."""

    leg_id: Annotated[str, Meta(description="This leg.")] = field(name="Call-ID")
    call_direction: Annotated[
        LegDirection, Meta(description="`inbound` is into the switch; not the business direction.")
    ]
    caller_id_name: Annotated[Known, Meta(description="What the called phone shows.")] = UNSET
    caller_id_number: Annotated[Known, Meta(description="What the called phone shows.")] = UNSET
    callee_id_name: Annotated[Known, Meta(description="Who is called.")] = UNSET
    callee_id_number: Annotated[Known, Meta(description="Who is called.")] = UNSET
    from_: Annotated[str, Meta(description="`user@realm`")]
    to: Annotated[str, Meta(description="`user@realm`")]
    request: Annotated[str, Meta(description="`user@realm`")]
    presence_id: Annotated[Known, Meta(description="The device as `user@realm`.")] = UNSET
    media_server: Annotated[str, Meta(description="The switch's name.")]
    other_leg_id: Annotated[
        Known, Meta(description="The leg that it is, or was last, joined with.")
    ] = field(name="Other-Leg-Call-ID", default=UNSET)
    other_leg_direction: LegDirection | UnsetType = UNSET
    other_leg_caller_id_name: Known = UNSET
    other_leg_caller_id_number: Known = UNSET
    other_leg_destination_number: Known = UNSET


class _Going(OfLeg, frozen=True, kw_only=True):
    custom_channel_vars: Variables
    state: CallState
    event_seq: Seq = UNSET


class ChannelCreate(_Going, frozen=True, kw_only=True, tag="CHANNEL_CREATE"):
    """A leg came to be; once."""


class ChannelProgress(_Going, frozen=True, kw_only=True, tag="CHANNEL_PROGRESS"):
    """The phone, or the far end, rings."""


class ChannelAnswer(_Going, frozen=True, kw_only=True, tag="CHANNEL_ANSWER"):
    """The leg was picked up; at most once."""


class ChannelBridge(_Going, frozen=True, kw_only=True, tag="CHANNEL_BRIDGE"):
    """The leg was joined with another; each time."""


class ChannelHold(_Going, frozen=True, kw_only=True, tag="CHANNEL_HOLD"):
    """The leg's phone put the other side on hold."""


class ChannelUnhold(_Going, frozen=True, kw_only=True, tag="CHANNEL_UNHOLD"):
    """The leg's phone took the other side back."""


class ChannelDestroy(OfLeg, frozen=True, kw_only=True, tag="CHANNEL_DESTROY"):
    """The leg is over; once."""

    duration_seconds: Seconds
    billing_seconds: Seconds
    ringing_seconds: Seconds
    hangup_cause: Annotated[
        str,
        Meta(
            description="`NORMAL_CLEARING`, `USER_BUSY`, `NO_ANSWER`, `LOSE_RACE`, `MEDIA_TIMEOUT` …"
        ),
    ]
    hangup_code: Annotated[
        Known, Meta(description="What the far end answered in SIP, such as `sip:486`.")
    ] = UNSET
    custom_channel_vars: Variables
    state: CallState
    event_seq: Seq = UNSET


class CallQuality(OfLeg, frozen=True, kw_only=True, tag="CALL_QUALITY"):
    """The audio of a leg that is over was bad; at most once, after its CHANNEL_DESTROY."""

    faults: Annotated[
        list[Fault],
        Meta(
            description="What was bad. `RECEIVED_…`: of what came from the leg's phone or carrier. "
            "`SENT_…`: of what went there, with what the leg of whoever spoke had lost."
        ),
    ]
    codec: str
    received_packets: int
    received_lost: int | UnsetType = UNSET
    received_loss_percent: float | UnsetType = UNSET
    received_jitter: Annotated[float | UnsetType, Meta(description="Milliseconds, the mean.")] = (
        field(name="Received-Jitter-MS", default=UNSET)
    )
    received_mos: Annotated[
        float | UnsetType, Meta(description="By the E-model: 1 is bad, 4.41 the best.")
    ] = field(name="Received-MOS", default=UNSET)
    sent_packets: int
    sent_lost: int | UnsetType = UNSET
    sent_loss_percent: float | UnsetType = UNSET
    sent_jitter: Annotated[float | UnsetType, Meta(description="Milliseconds, the mean.")] = field(
        name="Sent-Jitter-MS", default=UNSET
    )
    sent_mos: Annotated[
        float | UnsetType, Meta(description="By the E-model: 1 is bad, 4.41 the best.")
    ] = field(name="Sent-MOS", default=UNSET)
    round_trip: Annotated[float | UnsetType, Meta(description="Milliseconds.")] = field(
        name="Round-Trip-MS", default=UNSET
    )
    custom_channel_vars: Variables
    state: CallState
    event_seq: Seq = UNSET


class CallRefused(_Going, frozen=True, kw_only=True, tag="CALL_REFUSED"):
    """The switch refused the call, or the way on which it was to go on; each time."""

    reason: Annotated[RefusalReason, Meta(description=WHY)]
    refused_number: Annotated[Known, Meta(description="What was to be dialled.")] = UNSET
    refused_device: Annotated[
        Known,
        Meta(
            description="The device, by its SIP user name, that dials it, forwards or transfers to it."
        ),
    ] = UNSET


class CallMerged(OfCall, frozen=True, kw_only=True, tag="CALL_MERGED"):
    """The call has become part of another one, in which its people talk on; CALL_ENDED follows."""

    merged_id: Annotated[str, Meta(description="The call that is over.")] = field(name="Call-ID")
    into_call_id: Annotated[str, Meta(description="The call that goes on.")]
    leg_call_ids: Annotated[
        list[str], Meta(description="The legs whose later events come under the call that goes on.")
    ] = field(name="Leg-Call-IDs")
    custom_channel_vars: Variables
    state: CallState
    event_seq: Seq = UNSET


class CallEnded(OfCall, frozen=True, kw_only=True, tag="CALL_ENDED"):
    """The call is over: its finished history record; once a call."""

    ended_id: Annotated[str, Meta(description="The call.")] = field(name="Call-ID")
    caller: ShownParty = field(name="caller")
    callee: ShownParty = field(name="callee")
    class_: Annotated[Class, Meta(description="Internal, or by a trunk.")] = field(name="class")
    did_number: Annotated[
        str | None, Meta(description="The dialled number of an inbound call, else null.")
    ] = field(name="did_number")
    direction: Annotated[Direction, Meta(description="Outbound, or inbound.")] = field(
        name="direction"
    )
    status_detail: Annotated[StatusDetail, Meta(description="The outcome.")] = field(
        name="status_detail"
    )
    duration_seconds: Annotated[int, Meta(description="From the start to the end.")] = field(
        name="duration_seconds"
    )
    unix_timestamp: Annotated[int, Meta(description="The start, unix seconds.")] = field(
        name="unix_timestamp"
    )
    billing_seconds: Annotated[
        int, Meta(description="How long two people were joined, rounded up.")
    ] = field(name="billing_seconds")
    recording: Annotated[str, Meta(description="The recording's name, or empty.")] = field(
        name="recording"
    )
    hangup_cause: Annotated[str, Meta(description="Why the call ended.")]
    ringing_seconds: Seconds
    custom_channel_vars: Variables
    state: CallState
    event_seq: Seq = UNSET


class OfRecording(OfCall, frozen=True, kw_only=True):
    """What every event of a recording says."""

    recorded_id: Annotated[str, Meta(description="The call.")] = field(name="Call-ID")
    media_name: Annotated[str, Meta(description="The recording's name, for `play_recording`.")]


class RecordingReady(OfRecording, frozen=True, kw_only=True, tag="RECORDING_READY"):
    """The recording can be played."""

    media_length: Annotated[int, Meta(description="Bytes.")]
    duration_seconds: Annotated[str, Meta(description="Whole seconds.", pattern="^[0-9]+$")]
    custom_channel_vars: Variables
    state: RecordingState
    event_seq: Seq = UNSET


class RecordingFailed(OfRecording, frozen=True, kw_only=True, tag="RECORDING_FAILED"):
    """There will be no recording of the call."""

    failure_reason: Annotated[
        FailureReason,
        Meta(
            description="`AUDIO_MISSING`: the engine's audio file never came, or was lost. "
            "`ENCODING_FAILED`: no MP3 could be made of the audio, which is kept on the server."
        ),
    ]
    custom_channel_vars: Variables
    state: RecordingState
    event_seq: Seq = UNSET


class _OfDevice(Event, frozen=True, kw_only=True):
    event_category: Literal["device_event"] = "device_event"
    device: Annotated[str, Meta(description="The device's SIP user name.")]
    device_state: DeviceStatus
    custom_channel_vars: Variables
    state: DeviceState
    event_seq: Seq = UNSET


class DeviceOnline(_OfDevice, frozen=True, kw_only=True, tag="DEVICE_ONLINE"):
    """The phone registered, or answers again."""


class DeviceOffline(_OfDevice, frozen=True, kw_only=True, tag="DEVICE_OFFLINE"):
    """The phone is registered no more, or does not answer."""


class AuthFailed(Event, frozen=True, kw_only=True, tag="AUTH_FAILED"):
    """Somebody gave a wrong SIP password for the device; at most once a minute for each address."""

    event_category: Literal["device_event"] = "device_event"
    device: Annotated[str, Meta(description="The device's SIP user name.")]
    address: Annotated[
        Known,
        Meta(description="Where it came from; left out where many addresses are told together."),
    ] = UNSET
    count: Annotated[int, Meta(description="How often, since this was told last.")]
    custom_channel_vars: Variables
    state: DeviceState
    event_seq: Seq = UNSET


class _OfTrunk(Event, frozen=True, kw_only=True):
    event_category: Literal["trunk_event"] = "trunk_event"
    trunk: Annotated[str, Meta(description="The trunk's name.")]
    trunk_id: str
    trunk_state: TrunkStatus
    reason: Annotated[
        TrunkReason | UnsetType,
        Meta(
            description="Why it is down. `UNREACHABLE`: the carrier does not answer OPTIONS. "
            "`CERTIFICATE_REFUSED`: over TLS, it shows a certificate that is not to be trusted. "
            "`REGISTRATION_REJECTED`: it answers, but does not accept our REGISTER."
        ),
    ] = UNSET
    custom_channel_vars: Variables
    state: TrunkState
    event_seq: Seq = UNSET


class TrunkUp(_OfTrunk, frozen=True, kw_only=True, tag="TRUNK_UP"):
    """The carrier answers, and the registration stands where the trunk has one."""


class TrunkDown(_OfTrunk, frozen=True, kw_only=True, tag="TRUNK_DOWN"):
    """The carrier does not answer, or refuses the registration."""


class _OfWebhook(Event, frozen=True, kw_only=True):
    event_category: Literal["webhook_event"] = "webhook_event"
    webhook_id: Annotated[str, Meta(description="The webhook.")]
    webhook_url: Annotated[str, Meta(description="Where it is.")]
    reason: Annotated[str, Meta(description="Why, in a few words.")]
    last_status: Annotated[
        int | UnsetType, Meta(description="The HTTP status that it answered last, if it did.")
    ] = UNSET
    stopped_after: Annotated[
        int, Meta(description="The `Event-Seq` of the last event that it took: go on from here.")
    ]
    custom_channel_vars: Variables
    state: WebhookState
    event_seq: Seq = UNSET


class WebhookSuspended(_OfWebhook, frozen=True, kw_only=True, tag="WEBHOOK_SUSPENDED"):
    """The webhook failed for so long that it is sent nothing until it is enabled again."""


class WebhookDisabled(_OfWebhook, frozen=True, kw_only=True, tag="WEBHOOK_DISABLED"):
    """The webhook answered 410 Gone: it is sent nothing any more."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """These numbers were asked for, and are kept no more; no binding is needed to be told."""

    from_: Annotated[int, Meta(description="The first number that is lost.")] = field(name="from")
    to: Annotated[int, Meta(description="The last one.")]


AnyEvent = (
    ChannelCreate
    | ChannelProgress
    | ChannelAnswer
    | ChannelBridge
    | ChannelHold
    | ChannelUnhold
    | ChannelDestroy
    | CallQuality
    | CallRefused
    | CallMerged
    | CallEnded
    | RecordingReady
    | RecordingFailed
    | DeviceOnline
    | DeviceOffline
    | AuthFailed
    | TrunkUp
    | TrunkDown
    | WebhookSuspended
    | WebhookDisabled
)

KINDS: Mapping[str, type[Any]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(AnyEvent)
}
"""Every event's name, as bindings have it, and what it says."""

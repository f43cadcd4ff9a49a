"""One call in full, live or finished, and what people note of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from trunkline.api.media.links import Links
from trunkline.api.v1.call_fields import FIELDS, ShownCall, party, unknown, values
from trunkline.api.v1.conventions.problems import Fault, problem
from trunkline.api.v1.conventions.routing import (
    Parameters,
    Request,
    RequestBody,
    Response,
    ResponseBody,
    Route,
    Time,
    alike,
)
from trunkline.api.v1.deliveries import ShownDelivery, delivery_values
from trunkline.calls import outcome
from trunkline.calls.call import Call
from trunkline.calls.fold import refold
from trunkline.calls.recording_names import peaks_of
from trunkline.calls.times import rfc3339
from trunkline.calls.words import RecordingStatus
from trunkline.events.envelope import EventEnvelope, envelope
from trunkline.events.state import CallStatus, LegState, StepState, call_state, call_status
from trunkline.sip.message import SipMessage, ids_of_messages
from trunkline.store.ports.history import (
    MOST_TAGS,
    CallRow,
    Marks,
    RecordingFile,
    TooManyTags,
    WholeCall,
)

MOST_EVENTS, MOST_DELIVERIES, MOST_SIP_MESSAGES = 1000, 100, 500

_Tag = Annotated[
    str,
    Meta(
        min_length=1, max_length=50, pattern=r"^[^,\s\x00-\x1f](?:[^,\x00-\x1f]*[^,\s\x00-\x1f])?$"
    ),
]
_Tags = Annotated[tuple[_Tag, ...], Meta(max_length=MOST_TAGS)]


class OneCall(Parameters, frozen=True, kw_only=True):
    call_id: Annotated[str, Meta(description="Its id.", max_length=255)]


class CallMarks(RequestBody, frozen=True, kw_only=True):
    """What to change; what is left out stays."""

    note: (
        Annotated[str, Meta(description="For people.", max_length=2000, pattern=r"^[^\x00]*$")]
        | None
    ) = None
    tags: Annotated[_Tags, Meta(description="All tags: in place of those there are.")] | None = None
    add_tags: Annotated[_Tags, Meta(description="Put these on.")] = ()
    remove_tags: Annotated[_Tags, Meta(description="Then take these off.")] = ()
    hold: (
        Annotated[
            bool,
            Meta(
                description="Put it on legal hold, or release it: while it is, nothing of it is deleted."
            ),
        ]
        | None
    ) = None


class CallDelivery(ShownDelivery, frozen=True, kw_only=True):
    """One event of the call for one webhook."""

    webhook_id: str


class ShownRecording(ResponseBody, frozen=True, kw_only=True):
    """A recording. `url` plays without a key, until it expires; `peaks_url` gives its waveform (audiowaveform's JSON)."""

    name: str
    status: RecordingStatus
    bytes: int | None
    seconds: float | None
    url: str | None
    peaks_url: str | None
    url_expires_at: Time | None


class ShownSipMessage(ResponseBody, frozen=True, kw_only=True):
    """A SIP message of one leg, without its secrets. A request has a method, a response a status."""

    leg_id: str
    at: Annotated[Time, Meta(description="By Asterisk's clock.")]
    direction: Annotated[Literal["sent", "received"], Meta(description="As Trunkline sees it.")]
    source: Annotated[str, Meta(description="Address and port.")]
    destination: str
    transport: Annotated[str, Meta(description="`udp`, `tcp`, `tls`, `ws` or `wss`.")]
    method: str | None
    status: int | None
    reason: str
    cseq: Annotated[str, Meta(description="Its number and method, such as `102 INVITE`.")]
    text: Annotated[
        str,
        Meta(
            description="All of it, with `***` in place of credentials, keys, and digits dialled."
        ),
    ]


class _Around(ResponseBody, frozen=True, kw_only=True):
    live: bool
    status: Annotated[CallStatus, Meta(description="How far it is; `ended` for a finished call.")]
    path: Annotated[
        list[StepState] | None,
        Meta(description="The way that it took; null once the journal is kept no more."),
    ]
    legs: Annotated[
        list[LegState] | None,
        Meta(description="null once the journal is kept no more (`journal_days`)."),
    ]
    events: Annotated[
        list[EventEnvelope] | None,
        Meta(description="The first 1,000 that are kept; null without the scope `events:read`."),
    ]
    webhook_deliveries: Annotated[
        list[CallDelivery] | None,
        Meta(description="The last 100, newest first; null without the scope `webhooks:read`."),
    ]
    sip_messages: Annotated[
        list[ShownSipMessage],
        Meta(description="The first 500 that are kept (`sip_trace`, `sip_trace_days`), in order."),
    ]
    more_sip_messages: Annotated[
        bool, Meta(description="There were others, which are not shown here.")
    ]
    recording_file: Annotated[
        ShownRecording | None,
        Meta(description="null without a recording, or without the scope `recordings:read`."),
    ]


_ALWAYS = ("call_id", "started_at")

ShownOneCall: Any = msgspec.defstruct(
    "ShownOneCall",
    [
        (
            one.name,
            one.hint if one.missing is not None or one.name in _ALWAYS else one.hint | None,
            msgspec.field(name=one.key),
        )
        for one in FIELDS
    ],
    bases=(_Around,),
    module=__name__,
    namespace={"__doc__": "A call in full. Of a live call, what is not known yet is null."},
    frozen=True,
    kw_only=True,
)


async def read_call(request: Request[OneCall, None]) -> Response:
    """A call in full: its record or, while it lives, what is so now; its legs, its SIP messages and,
    as far as the key's scopes go, its events, what webhooks were sent of it, and a link to its recording."""
    whole = await request.context.deps.db.history.whole(
        request.account_id, request.parameters.call_id, MOST_EVENTS, MOST_DELIVERIES
    )
    call = refold(list(whole.facts))
    if whole.row is None and (call is None or call.withdrawn):
        raise problem("not_found", "There is no such call.")
    known = _finished(whole.row) if whole.row else _live(call)
    state = call_state(call) if call else None
    traced = await request.context.deps.db.sip_messages.of_call(
        request.account_id,
        ids_of_messages(request.parameters.call_id, whole.facts),
        MOST_SIP_MESSAGES,
    )
    return Response(
        {
            **known,
            "merged_into": call.merged_into if call else None,
            "path": state.path if state else None,
            "legs": state.legs if state else None,
            **_around(request, whole),
            "sip_messages": [sip_values(message) for message in traced.messages],
            "more_sip_messages": traced.more,
        }
    )


def sip_values(message: SipMessage) -> dict[str, Any]:
    """Every field of ``ShownSipMessage``."""
    direction = "sent" if message.sent else "received"
    fields = ShownSipMessage.__struct_fields__
    return alike(fields, message, at=rfc3339(message.at), direction=direction)


def _finished(row: CallRow) -> dict[str, Any]:
    shown = values(row)
    shown["class"] = shown.pop("class_")
    return {"live": False, "status": "ended", **shown}


def _live(call: Call | None) -> dict[str, Any]:
    if call is None:
        raise problem("not_found", "There is no such call.")
    state = call_state(call)
    return unknown() | {
        "call_id": call.id,
        "live": True,
        "status": call_status(call),
        "class": state.class_,
        "direction": state.direction,
        "caller": party(call.caller) if call.caller else None,
        "callee": party(outcome.callee(call)) if state.callee else None,
        "did_number": call.did_number,
        "started_at": state.started_at,
        "answered_at": state.answered_at,
        "recording": state.recording,
        "client_ref": call.client_ref,
    }


def _around(request: Request[OneCall, None], whole: WholeCall) -> dict[str, Any]:
    """What needs scopes of its own."""
    scopes = request.key.scopes
    return {
        "events": [msgspec.Raw(envelope(event)) for event in whole.events]
        if "events:read" in scopes
        else None,
        "webhook_deliveries": [
            {**delivery_values(each), "webhook_id": each.webhook_id} for each in whole.deliveries
        ]
        if "webhooks:read" in scopes
        else None,
        "recording_file": _recording(request, whole.recording)
        if whole.recording and "recordings:read" in scopes
        else None,
    }


def _recording(request: Request[OneCall, None], file: RecordingFile) -> ShownRecording:
    deps, ready = request.context.deps, file.state == "ready"
    expires = request.now // 1_000_000 + deps.recording_url_seconds
    links = Links(deps.url_key)

    def url(name: str) -> str | None:
        return f"{request.base_url}{links.path(name, expires)}" if ready else None

    return ShownRecording(
        name=file.name,
        status=file.state,
        bytes=file.bytes if ready else None,
        seconds=file.seconds if ready else None,
        url=url(file.name),
        peaks_url=url(peaks_of(file.name)),
        url_expires_at=rfc3339(expires * 1_000_000) if ready else None,
    )


async def change_call(request: Request[OneCall, CallMarks]) -> Response:
    """Note something of a finished call, put tags on it and take them off, or put it on legal hold
    and release it. Whoever follows changes by `updated_after` sees it; there is no event."""
    history, marks = request.context.deps.db.history, Marks(**msgspec.structs.asdict(request.body))
    call_id = request.parameters.call_id
    try:
        row = await history.mark(request.account_id, call_id, marks, request.now)
    except TooManyTags:
        detail = f"A call has at most {MOST_TAGS} tags."
        raise problem("body_invalid", detail, errors=[Fault(detail, pointer="/add_tags")]) from None
    if row is not None:
        return Response(ShownCall(**values(row)))
    if (await history.whole(request.account_id, call_id, 0, 0)).facts:
        raise problem("call_live")
    raise problem("not_found", "There is no such call.")


_ONE, _TAG = "/v1/calls/{call_id}", "Calls"

ROUTES = (
    Route("GET", _ONE, "calls:read", read_call, "Look at a call",
          parameters=OneCall, answer=ShownOneCall, tag=_TAG),
    Route("PATCH", _ONE, "calls:write", change_call, "Note something of a call",
          parameters=OneCall, body=CallMarks, answer=ShownCall, tag=_TAG, problems=("call_live",)),
)  # fmt: skip

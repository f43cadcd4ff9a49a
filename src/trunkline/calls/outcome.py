"""What became of a call: class, direction and status_detail, as the history shows them."""

from __future__ import annotations

from trunkline.calls import causes
from trunkline.calls.call import Call, Leg
from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord, StatusDetail
from trunkline.calls.recorded import recording_plan
from trunkline.calls.times import SECOND


def record(call: Call) -> CallRecord:
    """The finished call's record; the call must be over, and not withdrawn."""
    assert call.ended_at is not None
    lasted = max(0, call.ended_at - call.started_at)  # a clock may have been set back
    recording = recording_name(call)
    return CallRecord(
        call_id=call.id,
        account_id=call.account_id,
        caller=call.caller or Party(number=""),
        callee=callee(call),
        class_=call.class_ or "trunking",
        direction=call.direction or "from_ab",
        did_number=call.did_number,
        status_detail=status_detail(call),
        started_at=call.started_at,
        answered_at=answered_at(call),
        ended_at=call.ended_at,
        duration_seconds=_rounded_up(lasted),
        billing_seconds=_rounded_up(min(call.talked, lasted)),
        ringing_seconds=_rounded_up(_ringing(call)),
        hangup_cause=hangup_cause(call),
        recording=recording,
        plan=recording_plan(call) if recording else None,
        client_ref=call.client_ref,
        app_id=call.app_id,
        trunk=next(
            (leg.endpoint for leg in call.legs.values() if leg.endpoint_kind == "trunk"), None
        ),
        engine_died=call.engine_died,
    )


def status_detail(call: Call) -> StatusDetail:
    """SUCCESS, BUSY, CANCELLED or UNSUCCESS, by the table in ``docs/guides/history.md``."""
    if call.first_answer is not None:
        return "SUCCESS"
    if call.engine_died:
        return "UNSUCCESS"
    first = call.first_leg
    if call.origin == "click" and (first is None or first.answered_at is None):
        return "UNSUCCESS"
    far = _far_legs(call)
    if far and all(_refused_busy(leg) for leg in far):
        return "BUSY"
    if call.origin == "trunk":
        return "UNSUCCESS"
    return "CANCELLED" if first is not None and first.hung_up_itself else "UNSUCCESS"


def callee(call: Call) -> Party:
    """The first person who answered; until then, whom the caller wanted."""
    if call.first_answer is not None:
        return answerer(call, call.legs[call.first_answer])
    return call.callee or Party(number=call.dialled)


def hangup_cause(call: Call) -> str:
    """The cause that ended the call: the far leg's if nobody answered, else the first leg's."""
    if call.engine_died:
        return "NORMAL_TEMPORARY_FAILURE"
    legs = _far_legs(call) if call.first_answer is None else []
    leg = next((leg for leg in reversed(legs) if leg.hung_up_at is not None), call.first_leg)
    return leg_cause(leg) if leg is not None else "NORMAL_UNSPECIFIED"


def leg_cause(leg: Leg) -> str:
    """The hang-up cause of one leg, by the names in ``causes.py``.

    For an outbound leg that nobody picked up and the switch took back, Asterisk's cause says why:
    0 and 19 the ring time ended, 26 another phone was faster, and else the caller gave up: 16, 127
    (its CANCEL, translated), or 21 where another phone declined before. The SIP code of an inbound leg is our own answer: its cause says more.
    """
    if leg.answered_at is None and leg.direction == "outbound" and not leg.hung_up_itself:
        if leg.cause in (0, causes.NO_ANSWER):
            return "NO_ANSWER"
        if leg.cause in causes.TAKEN_BACK:
            return "ORIGINATOR_CANCEL"
    if leg.answered_at is None and leg.direction == "inbound" and leg.hung_up_itself:
        return "ORIGINATOR_CANCEL"
    if leg.cause == 0:
        return "NORMAL_CLEARING"
    own_words = leg.answered_at is None and leg.direction == "outbound"
    return causes.name(leg.cause, leg.sip_code if own_words else None)


def recording_name(call: Call) -> str:
    """The recording's public name; empty unless two people were joined with the recorder on."""
    if not call.recording or call.first_answer is None:
        return ""
    return f"call_recording_{call.recording}.mp3"


def _far_legs(call: Call) -> list[Leg]:
    """The legs that were dialled for the caller."""
    return list(call.legs.values())[1:]


def _refused_busy(leg: Leg) -> bool:
    """Asterisk has cause 21 for 401, 403 and 407, too, where a trunk failed and nobody declined."""
    if leg.answered_at is not None or not leg.hung_up_itself:
        return False
    if leg.sip_code is not None:
        return leg.sip_code in causes.BUSY_CODES
    return leg.cause in causes.BUSY_CAUSES


def answerer(call: Call, leg: Leg) -> Party:
    """Who is at the far end of a leg that was dialled."""
    if leg.endpoint_kind == "device":
        return leg.party
    return Party(number=leg.dialled or call.dialled)


def answered_at(call: Call) -> int | None:
    """When the first who talked with the caller picked up; None before that."""
    return None if call.first_answer is None else call.legs[call.first_answer].answered_at


def _ringing(call: Call) -> int:
    """From the first ringing of a far leg to its answer, or to its end."""
    for leg in _far_legs(call):
        if leg.ringing_at is not None:
            until = answered_at(call) or leg.hung_up_at or leg.ended_at or leg.ringing_at
            return max(0, until - leg.ringing_at)
    return 0


def _rounded_up(microseconds: int) -> int:
    return -(-microseconds // SECOND)

"""What became of a call: class, direction and status_detail, as the history shows them."""

from __future__ import annotations

from trunkline.calls import causes, recording_names
from trunkline.calls.call import Call, Leg
from trunkline.calls.conferences import ROOM
from trunkline.calls.facts import Class, Party
from trunkline.calls.record import CallRecord, StatusDetail
from trunkline.calls.times import whole_seconds

ANONYMOUS = "anonymous"
"""The number of a caller who withheld it."""
SPEAKING = frozenset({"announcement", ROOM})
"""Kinds of destinations that pick up themselves: whoever reached nobody else is ``IVR``."""


def record(call: Call) -> CallRecord:
    """The finished call's record; the call must be over, and not withdrawn."""
    assert call.ended_at is not None
    lasted = max(0, call.ended_at - call.started_at)  # a clock may have been set back
    return CallRecord(
        call_id=call.id,
        account_id=call.account_id,
        caller=_caller(call),
        callee=callee(call),
        class_=call.class_ or _class_of_unrouted(call),
        direction=call.direction or "from_ab",
        did_number=call.did_number,
        status_detail=status_detail(call),
        started_at=call.started_at,
        answered_at=answered_at(call),
        ended_at=call.ended_at,
        duration_seconds=whole_seconds(lasted),
        billing_seconds=whole_seconds(min(call.talked, lasted)),
        ringing_seconds=whole_seconds(_ringing(call)),
        hangup_cause=hangup_cause(call),
        recording=recording_name(call),
        client_ref=call.client_ref,
        app_id=call.app_id,
        trunk=next(
            (leg.endpoint for leg in call.legs.values() if leg.endpoint_kind == "trunk"), None
        ),
        engine_died=call.engine_died,
        merged_into=call.merged_into,
    )


def _class_of_unrouted(call: Call) -> Class:
    """A phone that took over somebody's call dialled nothing. Of any other call nobody knows where it would go."""
    return "one_one" if call.merged_into and not call.reaches_outside else "trunking"


def _caller(call: Call) -> Party:
    if call.caller is None or (call.origin == "trunk" and not call.caller.number):
        return Party(number=ANONYMOUS, name=call.caller.name if call.caller else "")
    return call.caller


def status_detail(call: Call) -> StatusDetail:
    """SUCCESS, IVR, BUSY, CANCELLED or UNSUCCESS, by the table in ``docs/guides/history.md``."""
    if call.first_answer is not None or call.had_company:
        return "SUCCESS"
    if answered_by_system(call):
        return "IVR"
    if call.engine_died:
        return "UNSUCCESS"
    if call.merged_into is not None:
        return "CANCELLED"
    first = call.caller_leg
    if call.origin == "click" and (first is None or first.answered_at is None):
        return "UNSUCCESS"
    if _all_busy(call):
        return "BUSY"
    if call.origin == "trunk":
        return "UNSUCCESS"
    return "CANCELLED" if first is not None and first.hung_up_itself else "UNSUCCESS"


def answered_by_system(call: Call) -> bool:
    """Was the caller on the line with an announcement or the like?"""
    caller = call.caller_leg
    spoken_to = any(step.kind in SPEAKING for step in call.path)
    return spoken_to and caller is not None and caller.answered_at is not None


def _all_busy(call: Call) -> bool:
    """Did everybody who was dialled refuse, or did the call's way end at a hang-up that says busy?

    A phone that forwarded has refused nothing: the phone that it forwarded to counts.
    """
    asked = [leg for leg in call.dialled_legs if leg.cause != causes.REDIRECTION]
    if call.dialled_legs:
        return bool(asked) and all(map(_refused_busy, asked))
    caller, last = call.caller_leg, call.path[-1] if call.path else None
    led_to_busy = last is not None and last.kind == "hangup" and not call.refused
    return led_to_busy and caller is not None and caller.cause in causes.BUSY_CAUSES


def callee(call: Call) -> Party:
    """The first person who answered; until then, whom the caller wanted."""
    if call.first_answer is not None:
        return answerer(call, call.legs[call.first_answer])
    return call.callee or Party(number=call.dialled)


def hangup_cause(call: Call) -> str:
    """The cause that ended the call.

    If nobody answered, that is the cause of the far leg that was over last, else that of the caller's leg.
    """
    if call.engine_died:
        return "NORMAL_TEMPORARY_FAILURE"
    if any(leg.fell_silent_at is not None for leg in call.legs.values()):
        return causes.MEDIA_TIMEOUT
    ended_by_far = call.first_answer is None and not answered_by_system(call)
    legs = call.dialled_legs if ended_by_far else []
    over = [leg for leg in legs if leg.hung_up_at is not None]
    leg = max(over, key=lambda leg: leg.hung_up_at or 0) if over else call.caller_leg
    if leg is None or (call.merged_into is not None and leg.hung_up_at is None):
        return "NORMAL_CLEARING" if call.merged_into else "NORMAL_UNSPECIFIED"
    return leg_cause(leg)


def leg_cause(leg: Leg) -> str:
    """The hang-up cause of one leg, by the names in ``causes.py``.

    A leg that the switch took back before anybody picked up has the reason for that, whatever other
    phones said. Asterisk's cause is 26 where another phone was faster, and 0 where the ring time
    ended. Any other cause was left over from another leg of the same Dial: the caller gave up. A cause with
    which no talk ends was left over, too, on a leg that was answered and hung up by itself. The SIP code of
    an inbound leg is our own answer: its cause says more.
    """
    if leg.fell_silent_at is not None:
        return causes.MEDIA_TIMEOUT
    if _taken_back(leg):
        return _why_taken_back(leg)
    if leg.answered_at is None and leg.direction == "inbound" and leg.hung_up_itself:
        return "ORIGINATOR_CANCEL"
    if leg.cause == 0 or (
        leg.answered_at is not None and leg.hung_up_itself and leg.cause in causes.NO_TALK
    ):
        return "NORMAL_CLEARING"
    own_words = leg.answered_at is None and leg.direction == "outbound"
    return causes.name(leg.cause, leg.sip_code if own_words else None)


def _taken_back(leg: Leg) -> bool:
    return leg.answered_at is None and leg.direction == "outbound" and not leg.hung_up_itself


def _why_taken_back(leg: Leg) -> str:
    if leg.lost_race or leg.cause == causes.ANSWERED_ELSEWHERE:
        return "LOSE_RACE"
    timed_out = (
        (0,) if leg.dialled_by else (0, causes.NO_ANSWER)
    )  # the cause of an originated leg is its own
    return "NO_ANSWER" if leg.cause in timed_out else "ORIGINATOR_CANCEL"


def recording_name(call: Call) -> str:
    """The recording's public name; empty unless two people were joined with the recorder on."""
    if not call.recording or call.first_answer is None:
        return ""
    return recording_names.recording_name(call.recording, call.recording_format)


def _refused_busy(leg: Leg) -> bool:
    """Asterisk gives cause 21 for 401, 403 and 407, too: there a trunk failed, and nobody declined."""
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
    """When the first person who talked with the caller picked up; None before that."""
    if call.first_answer is not None:
        return call.legs[call.first_answer].answered_at
    caller = call.caller_leg
    return caller.answered_at if call.had_company and caller is not None else None


def _ringing(call: Call) -> int:
    """From the first ringing of a far leg to its answer, or to its end."""
    for leg in call.dialled_legs:
        if leg.ringing_at is not None:
            until = answered_at(call) or leg.hung_up_at or leg.ended_at or leg.ringing_at
            return max(0, until - leg.ringing_at)
    return 0

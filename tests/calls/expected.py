"""What the recorded calls must give: the contract's table of outcomes, written by hand.

Each is (class, direction, status_detail, hang-up cause, did two people talk).
"""

from __future__ import annotations

OUT, INTERNAL, INBOUND = ("trunking", "from_ab"), ("one_one", "from_ab"), ("trunking", "to_ab")
CLEAR = "NORMAL_CLEARING"

RECORDS: dict[str, tuple[str, str, str, str, bool]] = {
    "click_answered": (*OUT, "SUCCESS", CLEAR, True),
    "click_busy": (*OUT, "BUSY", "USER_BUSY", False),
    "click_declined_603": (*OUT, "BUSY", "CALL_REJECTED", False),
    "click_no_such_number": (*OUT, "UNSUCCESS", "UNALLOCATED_NUMBER", False),
    "click_unavailable": (*OUT, "UNSUCCESS", "NO_USER_RESPONSE", False),
    "click_trunk_failed": (*OUT, "UNSUCCESS", "NORMAL_TEMPORARY_FAILURE", False),
    "click_no_answer": (*OUT, "UNSUCCESS", "NO_ANSWER", False),
    "click_agent_hangs_up_first": (*OUT, "CANCELLED", "ORIGINATOR_CANCEL", False),
    "click_device_declines": (*OUT, "UNSUCCESS", "CALL_REJECTED", False),
    "click_device_busy": (*OUT, "UNSUCCESS", "USER_BUSY", False),
    "click_device_never_picks_up": (*OUT, "UNSUCCESS", "NO_ANSWER", False),
    "click_extension_answered": (*INTERNAL, "SUCCESS", CLEAR, True),
    "outbound_answered": (*OUT, "SUCCESS", CLEAR, True),
    "outbound_early_media": (*OUT, "SUCCESS", CLEAR, True),
    "bad_line": (*OUT, "SUCCESS", CLEAR, True),
    "outbound_busy": (*OUT, "BUSY", "USER_BUSY", False),
    "outbound_no_answer": (*OUT, "UNSUCCESS", "NO_ANSWER", False),
    "outbound_no_such_number": (*OUT, "UNSUCCESS", "UNALLOCATED_NUMBER", False),
    "outbound_cancelled": (*OUT, "CANCELLED", "ORIGINATOR_CANCEL", False),
    "outbound_refused": (*OUT, "UNSUCCESS", "CALL_REJECTED", False),
    "internal_answered": (*INTERNAL, "SUCCESS", CLEAR, True),
    "internal_busy": (*INTERNAL, "BUSY", "USER_BUSY", False),
    "internal_declined": (*INTERNAL, "BUSY", "CALL_REJECTED", False),
    "internal_nobody": (*INTERNAL, "UNSUCCESS", "NO_ANSWER", False),
    "internal_cancelled": (*INTERNAL, "CANCELLED", "ORIGINATOR_CANCEL", False),
    "internal_offline": (*INTERNAL, "UNSUCCESS", "SUBSCRIBER_ABSENT", False),
    "internal_one_declines_one_rings": (*INTERNAL, "UNSUCCESS", "NO_ANSWER", False),
    "internal_one_declines_caller_cancels": (*INTERNAL, "CANCELLED", "ORIGINATOR_CANCEL", False),
    "inbound_answered": (*INBOUND, "SUCCESS", CLEAR, True),
    "inbound_nobody": (*INBOUND, "UNSUCCESS", "NO_ANSWER", False),
    "inbound_abandoned": (*INBOUND, "UNSUCCESS", "ORIGINATOR_CANCEL", False),
    "inbound_busy": (*INBOUND, "BUSY", "USER_BUSY", False),
    "inbound_all_busy": (*INBOUND, "BUSY", "CALL_REJECTED", False),
    "inbound_one_busy_one_rings": (*INBOUND, "UNSUCCESS", "NO_ANSWER", False),
    "inbound_race": (*INBOUND, "SUCCESS", CLEAR, True),
    "inbound_unknown_number": (*INBOUND, "UNSUCCESS", "UNALLOCATED_NUMBER", False),
    "held": (*INTERNAL, "SUCCESS", CLEAR, True),
    "held_by_the_callee": (*INTERNAL, "SUCCESS", CLEAR, True),
    "blind_transfer": (*INTERNAL, "SUCCESS", CLEAR, True),
    "attended_transfer": (*OUT, "SUCCESS", CLEAR, True),
    "engine_dies_in_talk": (*INTERNAL, "SUCCESS", "NORMAL_TEMPORARY_FAILURE", True),
    "engine_dies_ringing": (*INTERNAL, "UNSUCCESS", "NORMAL_TEMPORARY_FAILURE", False),
}

C, P, A, B, D = (
    f"CHANNEL_{name}" for name in ("CREATE", "PROGRESS", "ANSWER", "BRIDGE", "DESTROY")
)
END = "CALL_ENDED"

EVENTS: dict[str, str] = {
    "click_answered": f"{C} 1,{P} 1,{A} 1,{C} 2,{P} 2,{A} 2,{B} 1,{B} 2,{D} 2,{D} 1,{END}",
    "click_busy": f"{C} 1,{P} 1,{A} 1,{C} 2,{D} 2,{D} 1,{END}",
    "click_no_answer": f"{C} 1,{P} 1,{A} 1,{C} 2,{P} 2,{D} 2,{D} 1,{END}",
    "click_device_declines": f"{C} 1,{D} 1,{END}",
    "click_device_never_picks_up": f"{C} 1,{P} 1,{D} 1,{END}",
    "outbound_answered": f"{C} 1,{C} 2,{P} 2,{A} 2,{A} 1,{B} 1,{B} 2,{D} 1,{D} 2,{END}",
    "outbound_busy": f"{C} 1,{C} 2,{D} 2,{D} 1,{END}",
    "outbound_refused": f"{C} 1,{D} 1,{END}",
    "internal_cancelled": f"{C} 1,{C} 2,{P} 2,{D} 2,{D} 1,{END}",
    "inbound_answered": f"{C} 1,{C} 2,{P} 2,{A} 2,{A} 1,{B} 1,{B} 2,{D} 1,{D} 2,{END}",
    "inbound_all_busy": f"{C} 1,{C} 2,{C} 3,{D} 2,{D} 3,{D} 1,{END}",
    "inbound_unknown_number": f"{C} 1,{D} 1,{END}",
    "engine_dies_ringing": f"{C} 1,{C} 2,{P} 2,{D} 1,{D} 2,{END}",
}

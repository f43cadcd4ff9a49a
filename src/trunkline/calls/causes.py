"""Hang-up causes: Q.850's numbers under the names that switches and their users know.

Numbers: ITU-T Q.850 and Asterisk's ``include/asterisk/causes.h`` (26 is Asterisk's "answered
elsewhere"). Names: those of FreeSWITCH and Kazoo, which integrators match on.
SIP codes: RFC 3398, section 7.2.4.1.
"""

from __future__ import annotations

NORMAL_CLEARING = 16
USER_BUSY = 17
NO_ANSWER = 19
CALL_REJECTED = 21
REDIRECTION = 23
ANSWERED_ELSEWHERE = 26

MEDIA_TIMEOUT = "MEDIA_TIMEOUT"
"""The cause of a leg that the switch hung up because it fell silent (FreeSWITCH's name; Q.850 has none)."""

BUSY_CAUSES = frozenset({USER_BUSY, CALL_REJECTED})
NO_TALK = frozenset({1, 3, 17, 18, 19, 20, 21, 22, 23, 26, 28})
"""Why nobody picked up."""
BUSY_CODES = frozenset({486, 600, 603})

NAMES: dict[int, str] = {
    1: "UNALLOCATED_NUMBER",
    2: "NO_ROUTE_TRANSIT_NET",
    3: "NO_ROUTE_DESTINATION",
    5: "MISDIALED_TRUNK_PREFIX",
    6: "CHANNEL_UNACCEPTABLE",
    7: "CALL_AWARDED_DELIVERED",
    16: "NORMAL_CLEARING",
    17: "USER_BUSY",
    18: "NO_USER_RESPONSE",
    19: "NO_ANSWER",
    20: "SUBSCRIBER_ABSENT",
    21: "CALL_REJECTED",
    22: "NUMBER_CHANGED",
    23: "REDIRECTION_TO_NEW_DESTINATION",
    26: "LOSE_RACE",
    27: "DESTINATION_OUT_OF_ORDER",
    28: "INVALID_NUMBER_FORMAT",
    29: "FACILITY_REJECTED",
    30: "RESPONSE_TO_STATUS_ENQUIRY",
    31: "NORMAL_UNSPECIFIED",
    34: "NORMAL_CIRCUIT_CONGESTION",
    38: "NETWORK_OUT_OF_ORDER",
    41: "NORMAL_TEMPORARY_FAILURE",
    42: "SWITCH_CONGESTION",
    43: "ACCESS_INFO_DISCARDED",
    44: "REQUESTED_CHAN_UNAVAIL",
    50: "FACILITY_NOT_SUBSCRIBED",
    52: "OUTGOING_CALL_BARRED",
    54: "INCOMING_CALL_BARRED",
    57: "BEARERCAPABILITY_NOTAUTH",
    58: "BEARERCAPABILITY_NOTAVAIL",
    65: "BEARERCAPABILITY_NOTIMPL",
    66: "CHAN_NOT_IMPLEMENTED",
    69: "FACILITY_NOT_IMPLEMENTED",
    81: "INVALID_CALL_REFERENCE",
    88: "INCOMPATIBLE_DESTINATION",
    95: "INVALID_MSG_UNSPECIFIED",
    96: "MANDATORY_IE_MISSING",
    97: "MESSAGE_TYPE_NONEXIST",
    98: "WRONG_MESSAGE",
    99: "IE_NONEXIST",
    100: "INVALID_IE_CONTENTS",
    101: "WRONG_CALL_STATE",
    102: "RECOVERY_ON_TIMER_EXPIRE",
    103: "MANDATORY_IE_LENGTH_ERROR",
    111: "PROTOCOL_ERROR",
    127: "INTERWORKING",
}

_SIP: dict[int, str] = {
    **dict.fromkeys((300, 301, 302, 305, 380), "REDIRECTION_TO_NEW_DESTINATION"),
    400: "NORMAL_TEMPORARY_FAILURE",
    403: "CALL_REJECTED",
    404: "UNALLOCATED_NUMBER",
    408: "RECOVERY_ON_TIMER_EXPIRE",
    410: "NUMBER_CHANGED",
    480: "NO_USER_RESPONSE",
    484: "INVALID_NUMBER_FORMAT",
    486: "USER_BUSY",
    487: "ORIGINATOR_CANCEL",
    488: "INCOMPATIBLE_DESTINATION",
    500: "NORMAL_TEMPORARY_FAILURE",
    502: "NETWORK_OUT_OF_ORDER",
    503: "NORMAL_TEMPORARY_FAILURE",
    504: "RECOVERY_ON_TIMER_EXPIRE",
    600: "USER_BUSY",
    603: "CALL_REJECTED",
    604: "NO_ROUTE_DESTINATION",
}


def name(cause: int, sip_code: int | None = None) -> str:
    """The name of a cause; a SIP code of the far end goes before Asterisk's translation of it."""
    if sip_code in _SIP:
        return _SIP[sip_code]
    return NAMES.get(cause, "NORMAL_UNSPECIFIED")

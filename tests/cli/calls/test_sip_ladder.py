"""A call's SIP messages, drawn."""

from __future__ import annotations

import json
from typing import Any

from trunkline.cli.calls.sip_ladder import ladder, plain, sdp
from trunkline.sip.message import SipMessage, SipPart

from ..office import AT, CALL, Office, Run

OFFER = (
    "v=0\r\no=- 1 1 IN IP4 10.0.0.7\r\ns=-\r\nc=IN IP4 10.0.0.7\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n"
)


def message(
    leg: str, remote: str, said: str | tuple[int, str], *, sent: bool, body: str = "", at: int = AT
) -> SipMessage:
    ours = "192.0.2.1:5060"
    status = None if isinstance(said, str) else said[0]
    return SipMessage(
        leg_id=leg,
        at=at,
        sent=sent,
        source=ours if sent else remote,
        destination=remote if sent else ours,
        transport="udp",
        method=said if isinstance(said, str) else None,
        status=status,
        reason="" if isinstance(said, str) else said[1],
        cseq="1 INVITE",
        text=f"X\r\n\r\n{body}",
    )


def keep(office: Office, *messages: SipMessage, skipped: int = 0) -> None:
    part = SipPart(
        account_id=office.account.account_id,
        call_id=CALL,
        stored_at=AT,
        messages=messages,
        skipped=skipped,
    )
    office.write(lambda db: db.sip_messages.add([part]))


def test_a_call_is_shown_with_its_ladder(office: Office, run: Run) -> None:
    office.click()
    office.talk_and_end()
    keep(
        office,
        message(CALL, "10.0.0.7:5062", "INVITE", sent=True, body=OFFER),
        message(CALL, "10.0.0.7:5062", (200, "OK"), sent=False, at=AT + 1),
        message("far", "203.0.113.9:5060", "BYE", sent=True, at=AT + 2),
    )
    said = run("calls", "show", CALL)
    assert said.exit_code == 0, said.output
    lines = said.stdout.partition("\nSIP\n")[2].splitlines()
    assert "Trunkline" in lines[0]
    assert [part.strip() for part in lines[1].split("  ") if part.strip()] == [
        "10.0.0.7:5062", "203.0.113.9:5060",
    ]  # fmt: skip
    assert "|<---------- INVITE ----------|" in lines[2]
    assert lines[2].endswith("  audio 10.0.0.7:4000 RTP/AVP PCMA/telephone-event sendonly")
    assert "|---------- 200 OK ---------->|" in lines[3]
    assert lines[4].rstrip().endswith("|----------- BYE ------------>|")
    assert len(lines) == 5
    assert lines[2].startswith("05:13:20.000000")  # the account's clock


def test_json_has_all_of_each_message(office: Office, told: Any) -> None:
    office.click()
    office.talk_and_end()
    keep(office, message(CALL, "10.0.0.7:5062", (486, "Busy"), sent=False, body=OFFER), skipped=1)
    call = told("calls", "show", CALL)
    assert call["moreSipMessages"] is True
    assert call["sipMessages"] == [
        {
            "legId": CALL, "at": AT, "source": "10.0.0.7:5062", "destination": "192.0.2.1:5060",
            "transport": "udp", "method": None, "status": 486, "reason": "Busy",
            "cseq": "1 INVITE", "text": f"X\r\n\r\n{OFFER}", "direction": "received",
        }
    ]  # fmt: skip
    json.dumps(call)


def test_a_call_without_any_shows_none(office: Office, run: Run) -> None:
    office.click()
    office.talk_and_end()
    assert "SIP" not in run("calls", "show", CALL).stdout


def test_no_terminal_is_told_what_a_stranger_wants() -> None:
    evil = "\x1b[2J\x9b31m\u202e\x07" + "x" * 200
    rows = [
        {"legId": "a", "at": AT, "direction": "received", "source": "h:1", "destination": "o:2",
         "method": None, "status": 486, "reason": evil,
         "text": f"X\r\n\r\nv=0\r\nc=IN IP4 {evil}\r\nm=audio {evil} RTP/AVP 0\r\nm=\r\nc=\r\n"}
    ]  # fmt: skip
    drawn = "\n".join(ladder(rows, {"a": evil}, str))
    assert all(each.isprintable() for each in drawn.replace("\n", ""))
    assert len(drawn.splitlines()[2]) < 400
    assert plain("ếé ok") == "ếé ok"
    assert sdp("X\r\n\r\nnot SDP") == ""

"""What SIPp plays: scenarios put together from the messages that they are made of."""

from __future__ import annotations

REFUSALS = {
    "0486": (486, "Busy Here"),
    "0603": (603, "Decline"),
    "0404": (404, "Not Found"),
    "0480": (480, "Temporarily Unavailable"),
    "0503": (503, "Service Unavailable"),
}
RINGS, EARLY, LATE, BRIEF = "0000", "0183", "0905", "0903"
"""Ends of numbers: rings for ever; early media first; answers after 5 s; answers at once.

Once they have answered, all but the first hang up after 3 s."""

ECHO = "[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n{cseq}"
TAG = ";tag=[pid]-[call_number]"
HERE = "[local_ip]:[local_port]"
SDP = """v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[local_ip_type] [local_ip]
t=0 0
m=audio [{port}] RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""
CHALLENGE = 'WWW-Authenticate: Digest realm="carrier", nonce="c0ffee", algorithm=MD5'


def answering(tone: str = "", user: str = "", password: str = "", challenge: bool = False) -> str:
    """Someone who is called: a carrier, or a phone. The called number's end says what it does.

    ``tone`` is a file of mu-law to play once answered, empty for silence. It answers OPTIONS, and
    REGISTER with the credentials; INVITE needs them too where ``challenge`` is set.
    """
    ends = (*REFUSALS, RINGS, EARLY, LATE)
    steps = [
        '<recv request="OPTIONS" optional="true" next="fine"/>',
        '<recv request="REGISTER" optional="true" next="register"/>',
        _challenged("INVITE", user, password) if challenge else _invited(),
        *(f'<nop next="to{end}" test="is{end}"/>' for end in ends),
        f'{_respond(180, "Ringing")}<nop next="answer"/>',
        *(_refuse(end, *refusal) for end, refusal in REFUSALS.items()),
        f'<label id="to{RINGS}"/>{_respond(180, "Ringing")}<recv request="CANCEL"/>',
        _cancelled(),
        f'<label id="to{EARLY}"/>{_respond(183, "Session Progress", sdp=_sdp(tone))}{_play(tone)}',
        '<recv request="CANCEL" timeout="2000" ontimeout="answer"/><nop next="cancel"/>',
        f'<label id="to{LATE}"/>{_respond(180, "Ringing")}',
        '<recv request="CANCEL" timeout="5000" ontimeout="answer"/><nop next="cancel"/>',
        f'<label id="answer"/>{_respond(200, "OK", sdp=_sdp(tone), again=True)}',
        f'<recv request="ACK"/>{_play(tone)}',
        *(f'<nop next="to{BRIEF}" test="is{end}"/>' for end in (BRIEF, EARLY, LATE)),
        f'<recv request="BYE" next="bye"/><label id="to{BRIEF}"/>',
        '<recv request="BYE" timeout="3000" ontimeout="leave"/>',
        f'<label id="bye"/>{_respond(200, "OK", tag="")}<nop next="end"/>',
        f'<label id="leave"/>{_leave()}<recv response="200"/><nop next="end"/>',
        f'<label id="register"/>{_challenged("REGISTER", user, password)}',
        f'<label id="fine"/>{_respond(200, "OK", more="[last_Contact:]")}',
        '<label id="end"/><nop/>',
    ]
    return _whole("answering", steps)


def calling(hold: float, tone: str = "", user: str = "", password: str = "") -> str:
    """Someone who calls ``[service]``, says a tone, and hangs up after ``hold`` seconds.

    With a password, the first INVITE has to be challenged with 401.
    """
    steps = [_send(_invite(1, user, tone), again=True)]
    if password:
        credentials = f"[authentication username={user} password={password}]"
        steps += [
            '<recv response="100" optional="true"/><recv response="401" auth="true"/>',
            _send(_request("ACK", 1, user)),
            _send(_invite(2, user, tone, credentials), again=True),
        ]
    cseq = 2 if password else 1
    provisional = [f'<recv response="{code}" optional="true"/>' for code in (100, 180, 183)]
    steps += [
        *provisional,
        '<recv response="200" rrs="true"/>',
        _send(_request("ACK", cseq, user)) + _play(tone),
        f'<recv request="BYE" timeout="{int(hold * 1000)}" ontimeout="leave"/>',
        f'{_respond(200, "OK", tag="")}<nop next="end"/><label id="leave"/>',
        _send(_request("BYE", cseq + 1, user), again=True) + '<recv response="200"/>',
        '<label id="end"/><nop/>',
    ]
    return _whole("calling", steps)


def _whole(name: str, steps: list[str]) -> str:
    return f'<?xml version="1.0"?>\n<scenario name="{name}">\n' + "\n".join(steps) + "\n</scenario>"


def _send(message: str, again: bool = False) -> str:
    retransmit = ' retrans="500"' if again else ""
    return f"<send{retransmit}><![CDATA[\n\n{message}\n]]></send>"


def _with_body(head: str, body: str = "") -> str:
    if not body:
        return f"{head}\nContent-Length: 0\n\n"
    return f"{head}\nContent-Type: application/sdp\nContent-Length: [len]\n\n{body}"


def _respond(
    code: int, reason: str, *, sdp: str = "", tag: str = TAG, more: str = "", again: bool = False
) -> str:
    head = f"SIP/2.0 {code} {reason}\n{ECHO.format(tag=tag, cseq='[last_CSeq:]')}"
    head += f"\n{more or f'Contact: <sip:{HERE}>'}"
    return _send(_with_body(head, sdp), again)


def _refuse(end: str, code: int, reason: str) -> str:
    answer = _respond(code, reason, again=True)
    return f'<label id="to{end}"/>{answer}<recv request="ACK" next="end"/>'


def _cancelled() -> str:
    echo = ECHO.format(tag=TAG, cseq="CSeq: [$cseq] INVITE")
    ended = _send(_with_body(f"SIP/2.0 487 Request Terminated\n{echo}"), again=True)
    fine = _respond(200, "OK")
    return f'<label id="cancel"/>{fine}{ended}<recv request="ACK" next="end"/>'


def _leave() -> str:
    head = (
        f"BYE [next_url] SIP/2.0\nVia: SIP/2.0/[transport] {HERE};branch=[branch]\n"
        f"Max-Forwards: 70\nFrom: [$to]{TAG}\nTo: [$from]\nCall-ID: [call_id]\nCSeq: 1 BYE"
    )
    return _send(_with_body(head), again=True)


def _invited(check: str = "") -> str:
    ends = (*REFUSALS, RINGS, EARLY, LATE, BRIEF)
    reads = "".join(
        f'<ereg regexp="^INVITE sip:[^@]*{end}[@;]" search_in="msg" assign_to="is{end}"/>'
        for end in ends
    )
    reads += '<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="cseq"/>'
    reads += '<ereg regexp="[^ ].*" search_in="hdr" header="From:" assign_to="from"/>'
    reads += '<ereg regexp="[^ ].*" search_in="hdr" header="To:" assign_to="to"/>'
    return f'<recv request="INVITE" rrs="true"><action>{reads}{check}</action></recv>'


def _challenged(method: str, user: str, password: str) -> str:
    ok = f"ok{method}"
    check = f'<verifyauth assign_to="{ok}" username="{user}" password="{password}"/>'
    first = '<recv request="INVITE"/>' if method == "INVITE" else ""
    ack = '<recv request="ACK"/>' if method == "INVITE" else ""
    second = f'<recv request="{method}"><action>{check}</action></recv>'
    return (
        f"{first}{_respond(401, 'Unauthorized', more=CHALLENGE)}{ack}"
        f"{_invited(check) if method == 'INVITE' else second}"
        f'<nop next="go{method}" test="{ok}"/>{_respond(403, "Forbidden")}{ack}'
        f'<nop next="end"/><label id="go{method}"/>'
    )


def _request(method: str, cseq: int, user: str, more: str = "", body: str = "") -> str:
    target = "sip:[service]@[remote_ip]:[remote_port]" if method == "INVITE" else "[next_url]"
    if method == "ACK" and not body and more:
        target = more
    to = "<sip:[service]@[remote_ip]:[remote_port]>" + (
        "" if method == "INVITE" else "[peer_tag_param]"
    )
    head = (
        f"{method} {target} SIP/2.0\nVia: SIP/2.0/[transport] {HERE};branch=[branch]\n"
        f"Max-Forwards: 70\nFrom: <sip:{user or 'caller'}@{HERE}>;tag=[pid]c[call_number]\n"
        f"To: {to}\nCall-ID: [call_id]\nCSeq: {cseq} {method}\nContact: <sip:{HERE}>"
    )
    return _with_body(head + (f"\n{more}" if more else ""), body)


def _invite(cseq: int, user: str, tone: str, credentials: str = "") -> str:
    return _request("INVITE", cseq, user, credentials, _sdp(tone))


def _sdp(tone: str) -> str:
    return SDP.format(port="rtpstream_audio_port" if tone else "auto_media_port")


def _play(tone: str) -> str:
    if not tone:
        return ""
    return f'<nop><action><exec rtp_stream="{tone},-1,0"/></action></nop>'

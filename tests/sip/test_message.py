"""SIP messages as they are kept: read tolerantly, and without their secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.calls.facts import CallEnded, CallMerged
from trunkline.sip.message import ids_of_messages
from trunkline.sip.secrets import BLANK, blanked

SECRET = "hunter2SECRET"
INVITE = (
    "INVITE sip:101@acme SIP/2.0\r\n"
    "Via: SIP/2.0/TLS 10.0.0.7:5061;rport;branch=z9hG4bKabc\r\n"
    'From: "An; tag=no" <sip:an@acme;tag=no>;tag=ft\r\n'
    "To: <sip:101@acme>\r\n"
    "Call-ID: c1@host\r\n"
    "CSeq: 7  INVITE\r\n"
)


def message(headers: str = "", body: str = "", first: str = INVITE) -> bytes:
    return f"{first}{headers}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


def kept(headers: str = "", body: str = "", first: str = INVITE) -> str:
    found = blanked(message(headers, body, first))
    assert found is not None
    return found[1]


def test_a_request_says_whose_it_is() -> None:
    found = blanked(message())
    assert found is not None
    head, text = found
    assert text.encode() == message()
    assert (head.method, head.status, head.call_id, head.cseq) == ("INVITE", None, "c1@host", "7 INVITE")  # fmt: skip
    assert (head.from_tag, head.to_tag, head.transport, head.via_port) == ("ft", "", "tls", 5061)
    assert (head.branch, head.of_method) == ("z9hG4bKabc", "INVITE")
    assert (head.local_tag(True), head.local_tag(False)) == ("ft", "")


def test_a_response_in_compact_form() -> None:
    raw = (
        b"SIP/2.0 486 Busy Here\nv: SIP/2.0/UDP [::1];branch=b\nf: sip:a@b;tag=1\n"
        b"t: <sip:c@d>\n ;tag=2\ni: x\ncseq: 1 INVITE\nl: 0\n\n"
    )
    found = blanked(raw)
    assert found is not None
    head = found[0]
    assert (head.method, head.status, head.reason, head.of_method) == (None, 486, "Busy Here", "INVITE")  # fmt: skip
    assert (head.from_tag, head.to_tag, head.via_port) == ("1", "2", 5060)
    assert (head.local_tag(True), head.local_tag(False)) == ("2", "1")


def test_what_followed_in_a_stream_is_of_another_message() -> None:
    found = blanked(message(body="v=0\r\n") + message(f"Authorization: Basic {SECRET}\r\n"))
    assert found is not None
    assert found[1].encode() == message(body="v=0\r\n")


@pytest.mark.parametrize(
    "header",
    [
        f'Authorization: Digest username="an", realm="r", nonce="{SECRET}", uri="sip:a", response="{SECRET}"',
        f'proxy-authorization :Digest cnonce={SECRET},nc=00000001,qop=auth,response={SECRET}',
        f'WWW-Authenticate: Digest realm="r",\r\n nonce="{SECRET}",\r\n\topaque="{SECRET}"',
        f'Proxy-Authenticate: Digest realm="a,b", nonce="{SECRET}", Digest realm="c", nonce="{SECRET}"',
        f'Authentication-Info: rspauth="{SECRET}", nextnonce="{SECRET}"',
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Basic {SECRET}=",
        f'Authorization: Digest response="{SECRET}',
        f'Authorization: Digest x="a\\"b", response = "{SECRET}"',
        f"Authorization:{SECRET}",
        f"Contact: <sip:an:{SECRET}@10.0.0.7:5060>",
        f"Contact: <sip:an;phone-context=acme:{SECRET}@10.0.0.7>, <sip:an:{SECRET}@[::1]>",
        f"Alert-Info: <http://an:{SECRET}@10.0.0.7/ring.wav>",
        f"X-Authorization: {SECRET}",
        f"Refer-To: <sip:b@c?Authorization=Digest%20{SECRET}&X=1>",
    ],
)  # fmt: skip
def test_no_credential_is_kept(header: str) -> None:
    text = kept(header + "\r\n")
    assert SECRET not in text
    assert BLANK in text


def test_what_is_no_secret_of_a_login_stays() -> None:
    text = kept('Authorization: Digest username="an", realm="r", response="x", nc=00000001\r\n')
    assert (
        f'Authorization: Digest username="an", realm="r", response="{BLANK}", nc=00000001' in text
    )


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/sdp", f"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{SECRET}|2^20\r\n"),
        ("application/sdp", f"v=0\r\na=crypto:{SECRET}\r\n"),
        ("application/sdp", f"v=0\r\nk=clear:{SECRET}\r\na=ice-pwd:{SECRET}\r\na=key-mgmt:mikey {SECRET}"),
        ("multipart/mixed;boundary=x", f"--x\r\n\r\na=ice-pwd:{SECRET}\r\n--x--"),
        ("message/sipfrag", f"INVITE a SIP/2.0\r\nAuthorization: Digest nc=1,\r\n response={SECRET}"),
        ("text/plain", f"Authorization: Digest nc=1,\r\n response={SECRET}"),
        ("application/sdp\r\nContent-Encoding: gzip", SECRET),
        ("application/kpml-response+xml", f'<kpml-response digits="{SECRET}"/>'),
    ],
)  # fmt: skip
def test_no_key_is_kept(kind: str, body: str) -> None:
    text = kept(f"Content-Type: {kind}\r\n", body)
    assert SECRET not in text
    assert BLANK in text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/dtmf-relay", f"Signal={SECRET}\r\nDuration=160"),
        ("application/dtmf-relay", SECRET),
        ("application/dtmf", SECRET),
        ("text/plain", SECRET),
        ("", SECRET),
    ],
)
def test_no_digit_is_kept(kind: str, body: str) -> None:
    text = kept(f"Content-Type: {kind}\r\n", body, INVITE.replace("INVITE", "INFO"))
    assert SECRET not in text
    assert BLANK in text


def test_how_long_a_key_was_pressed_stays() -> None:
    text = kept("Content-Type: application/dtmf-relay\r\n", "Signal= 5\r\nDuration= 160\r\n")
    assert text.endswith(f"\r\n\r\nSignal={BLANK}\r\nDuration= 160\r\n")


@pytest.mark.parametrize(
    "piece", ["sip:", "sip:a", "\r\n ", " \n", "\r\n\r\n", "k=", "authorization:", '"', "\\"]
)
@pytest.mark.parametrize("kind", ["application/dtmf-relay", "application/sdp", "text/plain"])
def test_what_is_sent_to_take_long_does_not(kind: str, piece: str) -> None:
    """Anybody may send it. Looked at again from each character on, one such takes many seconds."""
    junk = piece * (60_000 // len(piece))
    for _ in range(20):
        kept(f"Content-Type: {kind}\r\n", junk)
        kept(f"X: {junk.replace(chr(10), '')}\r\n")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"hello",
        b"INVITE sip:a SIP/2.0\r\n\r\n",
        b"\x80\x80",
        message(first=INVITE.replace("CSeq", "X")),
    ],
)
def test_what_is_no_message_is_none(raw: bytes) -> None:
    assert blanked(raw) is None


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_it_bears_anything(headers: bytes, body: bytes) -> None:
    blanked(headers + body)
    found = blanked(INVITE.encode() + headers + b"\r\n\r\n" + body)
    assert found is None or "\0" not in found[0].reason


@given(
    st.text(st.characters(blacklist_characters="\r\n", codec="utf-8"), max_size=30),
    st.sampled_from(["\r\n", "\n", "\r"]),
    st.sampled_from([" ", "\t", "\r\n ", ""]),
    st.sampled_from(["response", "nonce", "cnonce", "RESPONSE", "other"]),
)
def test_no_login_gets_through_in_any_form(junk: str, end: str, gap: str, name: str) -> None:
    header = f'Authorization{gap.strip(chr(10)) if gap == " " else ""}:{gap}Digest {junk},{gap}{name}={gap}"{SECRET}"'
    raw = message(header.replace("\r\n", end) + "\r\n").replace(b"\r\n", end.encode())
    found = blanked(raw)
    assert found is None or SECRET not in found[1]


def test_messages_of_joined_calls_are_under_several_ids() -> None:
    inner = CallMerged(call_id="b", at=1, other_call_id="c", facts=())
    outer = CallMerged(call_id="a", at=2, other_call_id="b", facts=(inner,))
    assert ids_of_messages("a", [outer, CallEnded(call_id="a", at=3)]) == ["a", "b", "c"]

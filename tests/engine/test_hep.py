"""The datagrams in which Asterisk tells of SIP messages."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.engine.listen import hep
from trunkline.sip.message import CapturedSip

PASSWORD = b"s3cret"
Chunks = list[tuple[int, int, bytes]]


def datagram(chunks: Chunks) -> bytes:
    body = b"".join(struct.pack("!HHH", v, k, 6 + len(value)) + value for v, k, value in chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def chunks(payload: bytes = b"INVITE", host: bytes = bytes([127, 0, 0, 1])) -> Chunks:
    """In the order in which Asterisk writes them; addresses of 16 bytes are IPv6."""
    wide = len(host) == 16
    return [
        (0, 1, bytes([10 if wide else 2])),
        (0, 2, b"\x11"),
        (0, 7, struct.pack("!H", 5060)),
        (0, 8, struct.pack("!H", 5062)),
        (0, 9, struct.pack("!I", 1_700_000_000)),
        (0, 10, struct.pack("!I", 123_456)),
        (0, 11, b"\x01"),
        (0, 12, bytes(4)),
        (0, 5 if wide else 3, host),
        (0, 6 if wide else 4, host),
        (0, 14, PASSWORD),
        (0, 17, b"a Call-ID"),
        (0, 15, payload),
    ]


def changed(kind: int, value: bytes | None) -> Chunks:
    """With another value of one kind, or without it."""
    return [
        (v, k, value if k == kind else old) for v, k, old in chunks() if value is not None or k != kind
    ]  # fmt: skip


@given(st.binary(max_size=3000), st.sampled_from([4, 16]))
def test_a_message_is_read_as_it_was(payload: bytes, width: int) -> None:
    host = bytes(width - 1) + b"\x01"
    name = "0.0.0.1" if width == 4 else "::1"
    expected = CapturedSip(
        at=1_700_000_000_123_456,
        source=(name, 5060),
        destination=(name, 5062),
        stream=False,
        payload=payload,
    )
    assert hep.parse(datagram(chunks(payload, host)), PASSWORD) == expected


def test_chunks_of_other_vendors_and_unknown_ones_are_passed_over() -> None:
    more = [*chunks(), (4, 15, b"theirs"), (0, 999, b"new")]
    assert (
        hep.parse(datagram(more), PASSWORD) == hep.parse(datagram(chunks()), PASSWORD) is not None
    )


def test_a_stream_is_told_from_udp() -> None:
    found = hep.parse(datagram(changed(2, b"\x06")), PASSWORD)
    assert found is not None
    assert found.stream


@pytest.mark.parametrize("kind", [7, 8, 9, 10, 11, 3, 4, 14, 15])
def test_what_is_needed_has_to_be_there(kind: int) -> None:
    assert hep.parse(datagram(changed(kind, None)), PASSWORD) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [(14, b"guess"), (14, b""), (11, b"\x05"), (7, b"\x01"), (3, b"\x7f"), (10, b"\xff" * 4)],
)
def test_what_does_not_fit_is_refused(kind: int, value: bytes) -> None:
    assert hep.parse(datagram(changed(kind, value)), PASSWORD) is None


def test_nothing_may_be_there_twice() -> None:
    assert hep.parse(datagram([*chunks(), (0, 15, b"BYE")]), PASSWORD) is None


@given(st.binary(max_size=200), st.booleans())
def test_anything_else_is_nothing(raw: bytes, begins_well: bool) -> None:
    assert (
        hep.parse((b"HEP3" + struct.pack("!H", len(raw) + 6)) * begins_well + raw, PASSWORD) is None
    )


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_broken_datagram_does_no_harm(at: int, other: bytes) -> None:
    whole = datagram(chunks())
    hep.parse(whole[:at] + other + whole[at + len(other) :], PASSWORD)
    assert hep.parse(whole[: min(at, len(whole) - 1)], PASSWORD) is None

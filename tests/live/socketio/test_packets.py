"""Socket.IO's packets: those of clients 1 to 4, and those of 0.9."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.live.socketio import packets as socket_io_packets
from trunkline.live.socketio import packets_09 as socket_io_09
from trunkline.live.socketio.client_packet import NOTHING, ClientPacket, PacketInvalid, PacketKind

DIGITS = st.text("0123456789", max_size=20)
WORDS = st.text(st.characters(exclude_characters=",:?", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.builds(
        socket_io_packets.Packet,
        st.sampled_from("0123456"),
        WORDS.map(lambda word: f"/{word}"),
        DIGITS,
        st.lists(JSON).map(json.dumps) | st.just(""),
    )
)
def test_a_packet_is_read_as_it_was_written(packet: socket_io_packets.Packet) -> None:
    assert socket_io_packets.decode(socket_io_packets.encode(packet)) == packet


@given(
    st.builds(
        socket_io_09.Packet,
        st.sampled_from("012345678"),
        DIGITS,
        st.booleans(),
        WORDS,
        st.text(),
    )
)
def test_a_packet_of_0_9_is_read_as_it_was_written(packet: socket_io_09.Packet) -> None:
    assert socket_io_09.decode(socket_io_09.encode(packet)) == packet


@given(st.text(), st.lists(JSON), DIGITS)
def test_events_say_the_same_in_both(name: str, args: list[object], number: str) -> None:
    new = f"2{number}{json.dumps([name, *args])}"
    old = f"5:{number}{'+' if number else ''}::{json.dumps({'name': name, 'args': args})}"
    packet = ClientPacket(PacketKind.EVENT, "/", name, tuple(args), number or None)

    assert socket_io_packets.client_packet(new) == socket_io_09.client_packet(old) == packet


@given(st.text())
def test_any_text_says_something_or_is_refused(text: str) -> None:
    for read in (socket_io_packets.client_packet, socket_io_09.client_packet):
        with contextlib.suppress(PacketInvalid):
            assert read(text)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"]), min_size=1),
        min_size=1,
    )
)
def test_a_payload_of_0_9_is_read_as_it_was_written(packets: list[str]) -> None:
    assert socket_io_09.packets(socket_io_09.payload(packets)) == packets


def test_the_lengths_of_0_9_are_those_of_javascript() -> None:
    body = "\ufffd6\ufffd3:::hồ\ufffd6\ufffd3:::😀"

    assert socket_io_09.payload(["3:::hồ", "3:::😀"]) == body
    assert socket_io_09.packets(body) == ["3:::hồ", "3:::😀"]


@pytest.mark.parametrize(
    "body", ["\ufffd", "\ufffdx\ufffd2::", "\ufffd9\ufffd2::", "\ufffd3\ufffd2::z"]
)
def test_a_broken_payload_of_0_9_is_refused(body: str) -> None:
    with pytest.raises(PacketInvalid):
        socket_io_09.packets(body)


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", ClientPacket(PacketKind.CONNECT)),
        ('0{"token":1}', ClientPacket(PacketKind.CONNECT)),
        ("0/ns?a=1,", ClientPacket(PacketKind.CONNECT, "/ns")),
        ("0/ns", ClientPacket(PacketKind.CONNECT, "/ns")),
        ("1", ClientPacket(PacketKind.DISCONNECT)),
        ('2/ns,7["a",1]', ClientPacket(PacketKind.EVENT, "/ns", "a", (1,), "7")),
        ("31[]", NOTHING),
    ],
)
def test_what_clients_1_to_4_say(text: str, packet: ClientPacket) -> None:
    assert socket_io_packets.client_packet(text) == packet


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0::", ClientPacket(PacketKind.CLOSE)),
        ("0::/ns", ClientPacket(PacketKind.DISCONNECT, "/ns")),
        ("1::/ns?a=1", ClientPacket(PacketKind.CONNECT, "/ns")),
        ("2::", ClientPacket(PacketKind.PONG)),
        ("2:::", ClientPacket(PacketKind.PONG)),
        ('5:1+::{"name":"a"}', ClientPacket(PacketKind.EVENT, "/", "a", (), "1")),
        ("6:::1", NOTHING),
        ("7:::1+0", NOTHING),
        ("8::", NOTHING),
    ],
)
def test_what_clients_0_9_say(text: str, packet: ClientPacket) -> None:
    assert socket_io_09.client_packet(text) == packet


@pytest.mark.parametrize("text", ["3:::hello", '4:::{"a":1}'])
def test_what_is_no_event_is_refused_with_a_word(text: str) -> None:
    with pytest.raises(PacketInvalid, match="only events are supported"):
        socket_io_09.client_packet(text)


def test_our_own_packets() -> None:
    data = {"message": "hồng \ud800"}

    assert socket_io_packets.emit("error", data) == r'2["error",{"message":"h\u1ed3ng \ud800"}]'
    assert socket_io_packets.acknowledge("7", {}) == "37[{}]"
    assert socket_io_09.emit("error", {}) == '5:::{"name":"error","args":[{}]}'
    assert socket_io_09.acknowledge("1", {}) == "6:::1+[{}]"
    assert socket_io_09.handshake("s", 30, 30) == "s:30:30:websocket,xhr-polling"

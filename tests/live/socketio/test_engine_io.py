"""Engine.IO's packets and payloads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.live.socketio import engine_io
from trunkline.live.socketio.client_packet import PacketInvalid

TEXTS = st.lists(
    st.text(st.characters(exclude_characters="\x1e", exclude_categories=["Cs"])), min_size=1
)


@given(TEXTS)
def test_a_payload_is_read_as_it_was_written(packets: list[str]) -> None:
    assert engine_io.packets(4, engine_io.payload(4, packets)) == packets


@given(TEXTS)
def test_a_payload_for_clients_1_and_2_says_the_same_in_ascii(texts: list[str]) -> None:
    packets = [f"4{json.dumps(text, ensure_ascii=False)}" for text in texts]
    payload = engine_io.payload(3, packets)

    assert payload.isascii()
    assert [json.loads(packet[1:]) for packet in engine_io.packets(3, payload)] == texts


@given(st.text(), st.sampled_from([3, 4]))
def test_any_other_payload_is_read_or_refused(body: str, version: int) -> None:
    try:
        found = engine_io.packets(version, body)
    except PacketInvalid:
        return
    assert "".join(found) in body.replace("\x1e", "") or version == 3


def test_lengths_are_those_of_javascript() -> None:
    assert engine_io.packets(3, "7:4hồng😀1:2") == ["4hồng😀", "2"]
    assert engine_io.payload(3, ['4"ồ😀"', "2"]) == r"""21:4"\u1ed3\ud83d\ude00"1:2"""


@pytest.mark.parametrize(
    "body", ["x", "5:ab", ":a", "-1:a", "1", "99999999999:a", "1:😀", "²:ab", "1:a2"]
)
def test_a_broken_payload_is_refused(body: str) -> None:
    with pytest.raises(PacketInvalid, match=r"^invalid packet$"):
        engine_io.packets(3, body)


@pytest.mark.parametrize("packet", ["", "7", "x", "😀", "bAAAA"])
def test_what_is_no_text_packet_is_refused(packet: str) -> None:
    with pytest.raises(PacketInvalid):
        engine_io.split(packet)


@given(st.sampled_from("0123456"), st.text())
def test_a_packet_is_its_type_and_its_data(kind: str, data: str) -> None:
    assert engine_io.split(kind + data) == (kind, data)


def test_the_handshake() -> None:
    assert engine_io.handshake("s", ["websocket"], 25, 20, 65536) == (
        '0{"sid":"s","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,'
        '"maxPayload":65536}'
    )


@pytest.mark.parametrize(
    ("asked", "revision"), [(None, 3), ("2", 3), ("3", 3), ("4", 4), ("5", None), ("x", None)]
)
def test_revisions(asked: str | None, revision: int | None) -> None:
    assert engine_io.revision(asked) == revision

from __future__ import annotations

import json

import pytest
from websockets.frames import Frame, Opcode

from trunkline.events.bindings import parse
from trunkline.events.stored import StoredEvent
from trunkline.live.http.frames import chunk, text_frame
from trunkline.live.hub.wire import Encoding, Wire, gap

EVENT = StoredEvent("acc", 7, "call", "CHANNEL_CREATE", "a.b", "c1", 0, b'{"Call-ID":"a.b"}')
ANY = parse("call.*.*")


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_frame_is_what_the_rfc_says(length: int) -> None:
    payload = b"x" * length

    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_a_chunk_is_what_the_rfc_says() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_every_form() -> None:
    wire = Wire(EVENT)
    sio = '42["CHANNEL_CREATE",{"Call-ID":"a.b"}]'
    sio09 = '5:::{"name":"CHANNEL_CREATE","args":[{"Call-ID":"a.b"}]}'
    sse = wire.frame(Encoding.SSE, ANY)
    kazoo = wire.frame(Encoding.KAZOO_WS, ANY)

    assert wire.frame(Encoding.SIO_PACKET, ANY) == sio
    assert wire.frame(Encoding.SIO_WS, ANY) == text_frame(sio.encode())
    assert wire.frame(Encoding.SIO09_PACKET, ANY) == sio09
    assert wire.frame(Encoding.SIO09_WS, ANY) == text_frame(sio09.encode())
    assert isinstance(sse, bytes)
    assert sse.split(b"\r\n")[1].startswith(b'id: 7\nevent: CHANNEL_CREATE\ndata: {"seq":7,')
    assert isinstance(kazoo, bytes)
    assert json.loads(kazoo[4:])["routing_key"] == "call.acc.CHANNEL_CREATE.a%2Eb"


@pytest.mark.parametrize("form", Encoding)
def test_each_form_is_made_once_and_kazoos_once_for_each_binding(form: Encoding) -> None:
    wire, other = Wire(EVENT), parse("call.#")
    same = wire.frame(form, other) is wire.frame(form, ANY)

    assert wire.frame(form, ANY) is wire.frame(form, ANY)
    assert same is (form is not Encoding.KAZOO_WS)


@pytest.mark.parametrize("form", Encoding)
def test_a_gap_has_every_form(form: Encoding) -> None:
    assert "GAP" in str(gap("acc", 3, 9, 1_700_000_000_000_000).frame(form, ANY))

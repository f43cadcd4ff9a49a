"""A recording is true: as long as the talk, everything at its time, as well heard as by the parties, whatever happens.

A few cells of the table that ``make bench ARGS=sound`` prints, several calls side by side, by exact RTP.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import av
import msgspec
import numpy as np
import pytest
import pytest_asyncio

from .codecs import G722, OPUS, PCMA, PCMU, RATE, Codec, resampled
from .exact_voice import Network, Packet, Said, Sent
from .measured import FOUND, SIDES, Measured, Uttered, decoded, find, heard, measured
from .script import sound
from .situations import Cell, Disturbed, NotTaken, Recorded, opened, play_all, talking, with_a_pause
from .stage import Stage

AT_ONCE = 6
CELLS = (
    Cell("device-device", PCMU, PCMU, "common silence"),
    Cell("device-trunk", PCMU, PCMA, "60 ms jitter"),
    Cell("trunk-device", PCMU, PCMU, "5 % loss"),
    Cell("device-device", PCMU, G722, "tone"),
    Cell("click", G722, PCMU, "tone"),
    Cell("device-device", G722, OPUS, "DTX, comfort noise"),
    Cell("device-trunk", PCMU, PCMU, "hold"),
    Cell("trunk-device", PCMU, PCMA, "DTX"),
    Cell("device-device", PCMU, PCMU, "re-INVITE"),
    Cell("device-device", G722, G722, "tone"),
    Cell("trunk-device", PCMU, PCMU, "blind transfer"),
    Cell("device-trunk", PCMU, PCMU, "attended transfer"),
    Cell("device-device", G722, PCMU, "another clock"),
    Cell("device-device", G722, OPUS, "another clock"),
    Cell("trunk-device", PCMU, PCMU, "no stamps"),
    Cell("device-trunk", PCMU, PCMA, "talking on hold"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(module_stage: Stage) -> dict[str, Any]:
    """Every cell's name, and what came of it: ``Measured``, or why it could not be played."""
    firms = await opened(module_stage, AT_ONCE)
    found: dict[str, Any] = {}
    cells: Sequence[Cell] = CELLS
    for _ in range(2):  # once more what the machine may have spoilt
        results = await play_all(cells, firms)
        for cell, result in zip(cells, results, strict=True):
            found[cell.name] = result
            if isinstance(result, Recorded):  # in a thread: phones go on answering OPTIONS
                found[cell.name] = await asyncio.to_thread(result.measured)
        cells = [cell for cell in cells if spoilt(found[cell.name])]
    return found


def spoilt(found: Measured | Exception) -> bool:
    """Is it the machine's doing that an aim is missed?"""
    return isinstance(found, Disturbed) or (
        isinstance(found, Measured) and bool(found.misses) and found.excused
    )


@pytest.mark.parametrize("name", [cell.name for cell in CELLS])
async def test_what_was_said_is_recorded_as_it_was_heard(played: dict[str, Any], name: str) -> None:
    found = played[name]
    if isinstance(found, NotTaken):
        pytest.fail(f"the codec is not taken: {found}")
    if isinstance(found, Exception):
        raise found
    if spoilt(found):
        pytest.skip(f"machine too busy: {found.late * 1000:.0f} ms late\n{said(found)}")
    assert found.misses == [], said(found)


def said(found: Measured) -> str:
    """The figures, for whoever reads a failure."""
    lines = [f"talk {found.talk:.3f} s, recording {found.length:.3f} s at {found.rate} Hz"]
    for name, side in found.sides.items():
        errors = ["lost" if one is None else f"{one * 1000:.0f}" for one in side.errors]
        lines.append(
            f"{name}: marks off by {', '.join(errors)} ms; SNR {side.recorded:.1f} dB, heard {side.heard:.1f} dB"
        )
    return "\n".join(lines)


# ---- The measures themselves ----------------------------------------------------------------------


@pytest.mark.parametrize("codec", [PCMU, PCMA, G722, OPUS], ids=lambda codec: codec.name)
def test_what_is_coded_is_heard_at_its_time(codec: Codec) -> None:
    script = talking((437.0, 5230.0), 0, 3)
    packets = sent_as(codec, codec.encoded(sound(script)))
    whole, begin = heard(packets[:40] + packets[41:60:][::-1] + packets[60:])  # some out of order
    places = [find(script.mark(mark), whole, RATE) for mark in script.marks]
    assert begin == packets[0].at
    assert all(place.likeness > 0.8 for place in places), places
    assert [place.at for place in places] == pytest.approx(script.marks, abs=0.01)


def test_what_was_not_sent_is_silence() -> None:
    script = with_a_pause((437.0, 0))
    packets = sent_as(PCMU, PCMU.encoded(sound(script)))
    whole, _ = heard([one for one in packets if script.speaks_at(one.at - packets[0].at)])
    places = [find(script.mark(mark), whole, RATE) for mark in script.marks]
    assert [place.at for place in places] == pytest.approx(script.marks, abs=0.001)
    assert np.abs(whole[6 * RATE : 14 * RATE]).max() < 1e-4


@pytest.mark.parametrize(
    ("kind", "coder"), [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("ogg", "libopus")]
)
def test_a_file_is_decoded_without_what_its_encoder_put_before_it(kind: str, coder: str) -> None:
    script = talking((437.0, 0), 0, 3)
    file = decoded(written([sound(script)] * 2, kind, coder))
    places = [
        find(script.mark(mark, file.rate), file.channels[1], file.rate) for mark in script.marks
    ]
    assert file.seconds == pytest.approx(3, abs=0.05)
    assert [place.at for place in places] == pytest.approx(script.marks, abs=0.003)


def test_a_mark_is_like_no_other() -> None:
    one, other = talking((437.0, 0), 0, 3), talking((653.0, 0), 1, 3)
    assert all(find(other.mark(mark), sound(one), RATE).likeness < FOUND for mark in other.marks)


def sent_as(codec: Codec, payloads: list[bytes]) -> list[Packet]:
    step = round(codec.clock * 0.02)
    return [
        Packet(1000 + n * 0.02, codec, n, (2**32 - 100 + n * step) % 2**32, 7, payload)
        for n, payload in enumerate(payloads)
    ]


def written(channels: Any, kind: str, coder: str) -> bytes:
    out = io.BytesIO()
    rate = 48_000 if coder == "libopus" else 16_000
    pcm = (np.stack([resampled(one, RATE, rate) for one in channels]) * 32767).astype(np.int16)
    with av.open(out, "w", format=kind) as file:
        stream = file.add_stream(coder, rate=rate)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(pcm.T).reshape(1, -1), "s16", "stereo"
        )
        frame.sample_rate, frame.pts = rate, 0
        for again in (frame, None):
            file.mux(stream.encode(again))
    return out.getvalue()


class Scene:
    """Two who talked for 15 s, as if it had been played: what each sent, what came, and what /v1 says of it."""

    BEGIN = 1_796_000_000.0

    def __init__(self, network: Network) -> None:
        chance = random.Random(4)
        scripts = talking((437.0, 0), 0, 15), talking((653.0, 0), 0, 15)
        self.voices: list[Any] = []
        self.sounds: list[Any] = []
        for script in scripts:
            sent, packets = [], []
            for n, packet in enumerate(sent_as(PCMU, PCMU.encoded(sound(script)))):
                due, lost = self.BEGIN + n * 0.02, chance.random() < network.loss
                at = due + chance.uniform(0, network.jitter)
                sent.append(Sent(due, None if lost else at))
                packets += [] if lost else [msgspec.structs.replace(packet, at=at)]
            came = sorted(packets, key=lambda one: one.at)
            self.voices.append(SimpleNamespace(sent=sent, said=came, codec=PCMU, changes=[]))
            whole, begin = heard(came)
            self.sounds.append(np.pad(whole, (round((begin - self.BEGIN + 0.1) * RATE), 0)))
        for voice, other in zip(self.voices, self.voices[::-1], strict=True):
            voice.came = other.said
        self.uttered = [
            Uttered(side, Said(script, self.BEGIN, voice, wide=False), other)
            for side, script, voice, other in zip(
                SIDES, scripts, self.voices, self.voices[::-1], strict=True
            )
        ]

    def measured(self, shift: tuple[float, float] = (0, 0), seconds: float = 15.2) -> Measured:
        """Of a recording, a WAV, that begins 0.1 s before they do; a channel is shifted by so many seconds."""
        whole = np.zeros((2, round(seconds * RATE)))
        for channel, (heard_there, later) in enumerate(zip(self.sounds, shift, strict=True)):
            piece = np.roll(heard_there, round(later * RATE))[: whole.shape[1]]
            whole[channel, : len(piece)] = piece
        file = decoded(written(whole, "wav", "pcm_s16le"))
        joined = [{"joined_legs": [other], "ended_at": None} for other in "ab"]
        events = [
            told(self.BEGIN - 0.1, joined),
            told(self.BEGIN + 15.1, [one | {"joined_legs": []} for one in joined]),
        ]
        return measured(file, {"events": events}, self.uttered, 0.0)


def told(at: float, legs: list[Any]) -> dict[str, Any]:
    time = datetime.fromtimestamp(at, UTC).isoformat()
    return {"time": time, "data": {"state": {"legs": legs}}}


@pytest.mark.parametrize("network", [Network(), Network(loss=0.05), Network(jitter=0.06)], ids=str)
def test_a_recording_as_it_should_be_meets_every_aim(network: Network) -> None:
    found = Scene(network).measured()
    assert found.misses == [], said(found)


def test_what_is_late_short_or_shifted_is_found() -> None:
    scene = Scene(Network())
    late, short = scene.measured((0.1, 0.1)), scene.measured(seconds=14.6)
    assert (late.misses, late.worst) == (["place"], pytest.approx(0.1, abs=0.01))
    assert (short.misses, short.length) == (
        ["length", "place"],
        pytest.approx(14.6, abs=0.08),
    )
    assert scene.measured((0.03, -0.03)).misses == ["sides"]


def test_packets_out_of_their_order_are_found() -> None:
    scene = Scene(Network())
    for one in scene.sounds:
        one[RATE : 13 * RATE] = one[RATE : 13 * RATE].reshape(-1, 2, 320)[:, ::-1].reshape(-1)
    assert "SNR" in scene.measured().misses


def test_the_sides_are_compared_also_where_the_network_gave_each_room() -> None:
    scene = Scene(Network(jitter=0.06))
    assert scene.measured((0.05, -0.02)).misses == ["sides"]

"""A recording is true: as long as the talk, everything at its time, as well heard as by the parties, whatever happens.

A few cells of the table that ``make bench ARGS=sound`` prints, several calls side by side, by exact RTP.
"""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
import pytest_asyncio

from .codecs import G722, OPUS, PCMA, PCMU, RATE, Codec, resampled
from .exact_voice import Packet
from .firm import Firm
from .measured import FOUND, Measured, decoded, find, heard
from .script import sound
from .situations import Cell, NotTaken, Recorded, play_all, talking, with_a_pause
from .stage import Stage, together

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
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(module_stage: Stage) -> dict[str, Any]:
    """Every cell's name, and what came of it: ``Recorded``, or why it could not be played."""
    firms = await together(*(Firm.open(module_stage) for _ in range(AT_ONCE)))
    results = await play_all(CELLS, firms)
    return {cell.name: result for cell, result in zip(CELLS, results, strict=True)}


@pytest.mark.parametrize("name", [cell.name for cell in CELLS])
async def test_what_was_said_is_recorded_as_it_was_heard(played: dict[str, Any], name: str) -> None:
    result = played[name]
    if isinstance(result, NotTaken):
        pytest.fail(f"the codec is not taken: {result}")
    if not isinstance(result, Recorded):
        raise result
    found = result.measured()
    if found.misses and found.busy:
        pytest.skip(f"machine too busy: a packet was {found.late * 1000:.0f} ms late")
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
    file = decoded(written(sound(script), kind, coder))
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


def written(samples: Any, kind: str, coder: str) -> bytes:
    out = io.BytesIO()
    rate = 48_000 if coder == "libopus" else 16_000
    pcm = (np.stack([resampled(samples, RATE, rate)] * 2) * 32767).astype(np.int16)
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

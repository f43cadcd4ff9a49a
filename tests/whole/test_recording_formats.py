"""A recording is in the format of its account, tells whose call it is of, and has its waveform beside it."""

from __future__ import annotations

import io
from typing import Any

import av
import httpx
import pytest

from .listener import SocketIo
from .stage import Stage
from .waiting import until

TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "opus": "audio/ogg"}


@pytest.mark.parametrize("format_", TYPES)
async def test_an_account_chooses_the_format(format_: str, module_stage: Stage) -> None:
    stage = module_stage
    carrier, tenant = await stage.carrier(tone=900), await stage.tenant()
    await stage.server.cli("account", "set", tenant.name, "--recording-format", format_)
    await tenant.trunk(carrier.host)
    device = await tenant.user("talker")
    await stage.phone(device)
    listener = await stage.listen(SocketIo, tenant)
    call_id = await tenant.click(device, "84901230903")
    ready = await listener.wait_for("RECORDING_READY")
    record = await tenant.api.record(call_id)
    assert record["recording"].endswith(f".{format_}")

    answer = await tenant.api.play_recording(record["recording"])
    async with httpx.AsyncClient() as stranger:
        played = await stranger.get(answer.json()["media"])
    assert (played.status_code, played.headers["content-type"]) == (200, TYPES[format_])
    with av.open(io.BytesIO(played.content)) as player:
        stream = player.streams.audio[0]
        tags = {**player.metadata, **stream.metadata}
        samples = sum(frame.samples for frame in player.decode(audio=0))
        seconds = samples / stream.codec_context.sample_rate
    assert f"call_id={call_id}" in tags["comment"].splitlines()
    assert tags["title"].endswith(" to 84901230903")
    assert seconds == pytest.approx(float(ready.data["duration_seconds"]), abs=0.1)


async def test_its_waveform_is_as_long_as_it_is(module_stage: Stage) -> None:
    stage = module_stage
    carrier, tenant = await stage.carrier(tone=900), await stage.tenant()
    await tenant.trunk(carrier.host)
    device = await tenant.user("talker")
    await stage.phone(device)
    call_id = await tenant.click(device, "84901230903")
    scopes = ("--scopes", "calls:read,recordings:read")
    made = await stage.server.cli("key", "create", "crm", "--account", tenant.name, *scopes)
    headers = {"authorization": f"Bearer {made['key']}"}

    async def ready() -> dict[str, Any] | None:
        answer = await tenant.api.http.get(f"/v1/calls/{call_id}", headers=headers)
        file = answer.json().get("recording_file") or {}
        return dict(file) if file.get("status") == "ready" else None

    file = await until(ready, "the recording", 30)
    async with httpx.AsyncClient() as stranger:
        answer = await stranger.get(file["peaks_url"])
        altered = await stranger.get(file["peaks_url"].replace(".peaks.json", ""))
    peaks = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert altered.status_code == 403  # its signature is of another name
    shown = peaks["length"] * peaks["samples_per_pixel"] / peaks["sample_rate"]
    assert shown == pytest.approx(file["seconds"], abs=0.06)
    assert len(peaks["data"]) == peaks["length"] * peaks["channels"] * 2
    assert max(peaks["data"]) > 10  # the carrier's tone

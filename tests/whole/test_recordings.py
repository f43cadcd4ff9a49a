"""A recording's URL: plays in any player, for a while, and only as it was signed."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio

from .listener import SocketIo
from .stage import Stage, Tenant
from .waiting import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(module_stage: Stage) -> tuple[Tenant, str]:
    """(tenant, media name) of a call of some seconds that was recorded."""
    stage = module_stage
    carrier, tenant = await stage.carrier(tone=900), await stage.tenant()
    await tenant.trunk(carrier.host)
    device = await tenant.user("talker")
    await stage.phone(device)
    listener = await stage.listen(SocketIo, tenant)
    call_id = await tenant.click(device, "84901230903")
    await listener.wait_for("RECORDING_READY")
    return tenant, (await tenant.api.record(call_id))["recording"]


async def fresh(recorded: tuple[Tenant, str]) -> str:
    """A URL that was signed just now."""
    tenant, media = recorded
    answer = await tenant.api.play_recording(media)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["media"])


async def test_the_url_needs_nothing_else_and_plays(recorded: Any) -> None:
    async with httpx.AsyncClient() as stranger:
        url = await fresh(recorded)
        whole, head = await stranger.get(url), await stranger.head(url)
    assert url.startswith(("http://", "https://"))
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/mpeg")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert whole.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-50", slice(-50, None)),
    ],
)
async def test_a_range_is_that_part(asked: str, part: slice, recorded: Any) -> None:
    async with httpx.AsyncClient() as stranger:
        url = await fresh(recorded)
        whole = (await stranger.get(url)).content
        answer = await stranger.get(url, headers={"Range": asked})
    start, stop, _ = part.indices(len(whole))
    assert (answer.status_code, answer.content) == (206, whole[part])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"


async def test_a_range_past_the_end_is_416(recorded: Any) -> None:
    async with httpx.AsyncClient() as stranger:
        url = await fresh(recorded)
        size = len((await stranger.get(url)).content)
        answer = await stranger.get(url, headers={"Range": f"bytes={size}-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")


async def test_an_altered_url_gives_nothing(recorded: Any) -> None:
    url = await fresh(recorded)
    path, _, query = url.partition("?")
    altered = [
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        path,
        f"{path.replace('call_recording_', 'call_recording_0', 1)}?{query}",
        url.replace("=", "=9", 1),
    ]
    async with httpx.AsyncClient() as stranger:
        answers = [await stranger.get(one) for one in altered]
    assert all(400 <= answer.status_code < 500 for answer in answers), answers
    assert not any(answer.headers["content-type"] == "audio/mpeg" for answer in answers)


async def test_a_url_stops_working(recorded: Any) -> None:
    async with httpx.AsyncClient() as stranger:
        url = await fresh(recorded)
        assert (await stranger.get(url)).status_code == 200

        async def expired() -> bool:
            return 400 <= (await stranger.get(url)).status_code < 500

        await until(expired, "the end of the URL's 8 seconds", 15, every=0.5)


async def test_anothers_recording_and_none_at_all_get_one_answer(
    recorded: Any, module_stage: Stage
) -> None:
    tenant, media = recorded
    other = await module_stage.tenant()
    none = media.replace("call_recording_", "call_recording_0", 1)
    answers = await asyncio.gather(other.api.play_recording(media), tenant.api.play_recording(none))
    said = [(a.status_code, a.json()["message"], a.json()["detail"]) for a in answers]
    assert said[0][:2] == (404, "RECORDING_NOT_FOUND")
    assert said[0] == said[1]


@pytest.mark.parametrize("name", ["x.mp3", "../trunkline.db", "call_recording_a/b.mp3", "%2e%2e"])
async def test_what_is_no_recordings_name_is_invalid(name: str, recorded: Any) -> None:
    answer = await recorded[0].api.play_recording(name)
    assert (answer.status_code, answer.json()["message"]) == (400, "MEDIA_INVALID")

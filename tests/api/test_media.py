"""Recordings by their links: signatures, ranges, HEAD."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.api.media.links import Links
from trunkline.api.media.ranges import RangeNotSatisfiable, one_range

from .conftest import AUDIO, FINISHED, NOW, World

EXPIRES = NOW // 1_000_000 + 300
GOOD = Links(b"k" * 32).path(FINISHED, EXPIRES)
SIZE = len(AUDIO)


async def test_a_link_plays_the_whole(client: httpx.AsyncClient) -> None:
    answer = await client.get(GOOD)
    assert (answer.status_code, answer.content) == (200, AUDIO)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == f'inline; filename="{FINISHED}"'


@pytest.mark.parametrize("headers", [{}, {"range": "bytes=0-9"}])
async def test_head_tells_of_the_whole(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.head(GOOD, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(SIZE)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, SIZE),
        ("bytes=500-1999", 500, 2000),
        ("bytes=-100", SIZE - 100, SIZE),
        ("bytes=-999999", 0, SIZE),
        (f"bytes=10-{'9' * 5000}", 10, SIZE),
        ("Bytes=1-2", 1, 3),
    ],
)
async def test_a_part(client: httpx.AsyncClient, asked: str, start: int, end: int) -> None:
    answer = await client.get(GOOD, headers={"range": asked})
    assert (answer.status_code, answer.content) == (206, AUDIO[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0", f"bytes={'9' * 5000}-"])
async def test_a_part_that_is_not_there(client: httpx.AsyncClient, asked: str) -> None:
    answer = await client.get(GOOD, headers={"range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.json()["message"] == "RANGE_NOT_SATISFIABLE"


@pytest.mark.parametrize("asked", ["bytes=9-1", "bytes=0-1,5-6", "items=0-1", "bytes=x", "bytes=-"])
async def test_an_odd_range_is_ignored(client: httpx.AsyncClient, asked: str) -> None:
    answer = await client.get(GOOD, headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, AUDIO)


async def test_a_range_of_something_else_gives_the_whole(client: httpx.AsyncClient) -> None:
    headers = {"range": "bytes=0-9", "if-range": '"some-etag"'}
    assert (await client.get(GOOD, headers=headers)).status_code == 200


def every_spelling() -> list[str]:
    """The link with each character of its signature replaced by each other one of the alphabet's
    ends: Base64's last character has bits that decode to nothing.
    """
    at = GOOD.index("signature=") + len("signature=")
    changed = [
        GOOD[:i] + one + GOOD[i + 1 :] for i in range(at, len(GOOD)) for one in "Aa_-9BCDEFGH"
    ]
    return [one for one in changed if one != GOOD]


async def test_any_altered_link_is_refused(client: httpx.AsyncClient) -> None:
    other = GOOD.replace("done", "theirs")
    later = GOOD.replace(str(EXPIRES), str(EXPIRES + 1))
    none = GOOD.partition("&")[0]
    twice = GOOD + f"&expires={EXPIRES}"
    longer = [GOOD + "=", GOOD + "A", GOOD.replace(f"={EXPIRES}", f"=0{EXPIRES}")]
    for link in (other, later, none, twice, *longer, *every_spelling()):
        answer = await client.get(link)
        assert (answer.status_code, answer.json()["message"]) == (403, "LINK_INVALID"), link


async def test_a_link_of_another_installation_is_refused(client: httpx.AsyncClient) -> None:
    forged = Links(b"x" * 32).path(FINISHED, EXPIRES)
    assert (await client.get(forged)).status_code == 403


async def test_a_link_expires(world: World, client: httpx.AsyncClient) -> None:
    world.now = EXPIRES * 1_000_000 - 1
    assert (await client.get(GOOD)).status_code == 200
    world.now = EXPIRES * 1_000_000
    assert (await client.get(GOOD)).status_code == 403
    assert (await client.head(GOOD)).status_code == 403


@pytest.mark.parametrize("name", ["unknown", "vanished", "failed", "waiting"])
async def test_a_good_link_to_nothing(client: httpx.AsyncClient, name: str) -> None:
    link = Links(b"k" * 32).path(f"call_recording_{name}.mp3", EXPIRES)
    answer = await client.get(link)
    assert (answer.status_code, answer.json()["message"]) == (404, "RECORDING_NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["/recordings/..%2f..%2fsecret.key", "/recordings/%00", "/recordings/"]
)
async def test_no_name_leads_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code in (403, 404)


@given(st.integers(1, 500), st.text(alphabet="0123456789-bytes=, ", max_size=20))
def test_a_range_lies_within_the_file(size: int, header: str) -> None:
    try:
        part = one_range(header, size)
    except RangeNotSatisfiable:
        return
    if part is not None:
        assert 0 <= part[0] < part[1] <= size


@given(st.integers(1, 500), st.data())
def test_a_good_range_gives_the_very_bytes(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, size - 1))
    assert one_range(f"bytes={first}-{last}", size) == (first, last + 1)
    assert one_range(f"bytes={first}-", size) == (first, size)
    assert one_range(f"bytes=-{last + 1}", size) == (size - last - 1, size)

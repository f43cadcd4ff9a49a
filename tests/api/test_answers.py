"""Answers that come in pieces."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from trunkline.api.http.answers import BrokenOff, Stream

SCOPE: Any = {"type": "http", "method": "GET"}


async def sent_of(stream: Stream, receive: Any) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await stream(SCOPE, receive, send)
    return sent


async def stays() -> Any:
    await asyncio.Event().wait()


async def goes() -> Any:
    return {"type": "http.disconnect"}


async def pieces(number: int | None, broken: bool = False) -> AsyncIterator[bytes]:
    for _ in itertools.count() if number is None else range(number):
        yield b"x"
    if broken:
        raise BrokenOff


async def test_all_of_it_is_sent_to_who_stays() -> None:
    sent = await sent_of(Stream(200, (), b"a", pieces(3)), stays)
    assert b"".join(each.get("body", b"") for each in sent) == b"axxx"
    assert not sent[-1]["more_body"]


@pytest.mark.parametrize(
    ("rest", "receive"), [(pieces(None), goes), (pieces(3, broken=True), stays)]
)
async def test_what_is_broken_off_does_not_look_whole(rest: Any, receive: Any) -> None:
    """By who left, and by what is gone: no more is read, and no last piece is sent."""
    sent = await sent_of(Stream(200, (), b"a", rest), receive)
    assert len(sent) < 10
    assert all(each["more_body"] for each in sent[1:])

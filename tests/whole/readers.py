"""Who reads events over HTTP: server-sent events, and a webhook's receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx

from .waiting import Timeline


class Stream:
    """Server-sent events; ``events`` holds the envelopes."""

    def __init__(self, url: str, key: str, after: int) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {key}"}
        self._headers |= {"Last-Event-ID": str(after)}
        self.events: Timeline[dict[str, Any]] = Timeline("the stream")
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with (
            httpx.AsyncClient(timeout=None) as client,
            client.stream("GET", f"{self._url}/v1/events/stream", headers=self._headers) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            said: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    said[name] = value
                elif "data" in said:
                    await self._take(said)
                    said = {}

    async def _take(self, said: Mapping[str, str]) -> None:
        event = json.loads(said["data"])
        assert (said["id"], said["event"]) == (str(event["seq"]), event["type"])
        await self.events.add(event)

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


class Receiver:
    """A webhook's receiver: answers 204 and keeps what came, with its headers."""

    def __init__(self) -> None:
        self.posts: Timeline[tuple[dict[str, str], bytes]] = Timeline("the webhook")
        self.numbers: list[int] = []
        """Those of the events, in the order in which they came."""

    async def open(self) -> str:
        """Listen; gives the URL."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        except asyncio.IncompleteReadError:  # whoever connected was killed
            writer.close()
            return
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        await self.posts.add((headers, body))
        self.numbers.append(json.loads(body).get("seq", 0))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The envelopes in the order of their numbers: order is kept for each call only."""
        return sorted((json.loads(body) for _, body in self.posts.all), key=lambda one: one["seq"])

    async def close(self) -> None:
        self._server.close()

"""Listeners on the event socket: Socket.IO in Python and JavaScript, and the raw WebSocket."""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import socketio
from websockets.asyncio.client import connect

from .waiting import Timeline

SCRIPT = Path(__file__).parent.parent / "js" / "listen.mjs"
EVERYTHING = ("call.*.*", "device.*.*", "trunk.*.*")


class Seen(msgspec.Struct, frozen=True):
    """An event as a listener got it: keys in lower_snake, whichever spelling the wire has."""

    name: str
    data: dict[str, Any]

    @property
    def call_id(self) -> str:
        """The call's, not the leg's: Call-Interaction-ID, or a record's own ``call_id``."""
        variables = self.data.get("custom_channel_vars", {})
        return str(variables.get("call_interaction_id") or self.data.get("call_id", ""))

    @property
    def seq(self) -> int:
        """Event-Seq."""
        return int(self.data["event_seq"])


def snake(value: Any) -> Any:
    """The same payload in Kazoo's raw spelling: Call-ID is call_id."""
    if not isinstance(value, dict):
        return value
    words = {key: re.sub("(?<=[a-z])(?=[A-Z])", "_", key).lower() for key in value}  # clientRef
    return {re.sub("[^a-z0-9]+", "_", words[key]): snake(item) for key, item in value.items()}


class Listener(ABC):
    """Subscribed to an account's events; ``events`` holds all that came, in order."""

    def __init__(self, url: str, account_id: str, token: str) -> None:
        self.url, self.account_id, self.token = url, account_id, token
        self.events: Timeline[Seen] = Timeline(type(self).__name__)

    @abstractmethod
    async def open(self, bindings: Sequence[str], after: int | None) -> None:
        """Connect and subscribe; when this returns, nothing that happens is missed."""

    @abstractmethod
    async def close(self) -> None:
        """Hang up."""

    async def wait_for(self, name: str, timeout: float = 20, **match: Any) -> Seen:
        """The first event of that name whose payload (or call) has these values."""

        def wanted(seen: Seen) -> bool:
            whole = {**seen.data, "interaction": seen.call_id}
            return seen.name == name and all(whole.get(key) == want for key, want in match.items())

        return await self.events.wait(wanted, f"{name} {match}", timeout)

    def all_of(self, call_id: str) -> list[Seen]:
        """Every event of a call so far, in order."""
        return [seen for seen in self.events.all if seen.call_id == call_id]

    def named(self, name: str) -> list[Seen]:
        """Every event of that name so far, in order."""
        return [seen for seen in self.events.all if seen.name == name]


class SocketIo(Listener):
    """python-socketio."""

    async def open(self, bindings: Sequence[str], after: int | None = None) -> None:
        self._client = socketio.AsyncClient(reconnection=False)

        @self._client.on("*")  # type: ignore[untyped-decorator]
        async def _(name: str, data: Any) -> None:
            await self.events.add(Seen(name, snake(data)))

        await self._client.connect(self.url, wait_timeout=10)
        who: dict[str, Any] = {"account_id": self.account_id, "auth_token": self.token}
        who |= {} if after is None else {"after": after}
        for binding in bindings:
            reply = await self._client.call("subscribe", who | {"binding": binding}, timeout=10)
            assert reply["status"] == "success", reply

    async def close(self) -> None:
        await self._client.disconnect()


class RawWebSocket(Listener):
    """The socket in Kazoo 4's frames."""

    async def open(self, bindings: Sequence[str], after: int | None = None) -> None:
        self.socket = await connect(
            self.url.replace("http", "ws", 1) + "/oapi/v1/voice/events", max_size=None
        )
        data: dict[str, Any] = {"account_id": self.account_id, "bindings": list(bindings)}
        data |= {} if after is None else {"after": after}
        self.reply = await self.ask("subscribe", data)
        assert self.reply["status"] == "success", self.reply
        self._reading = asyncio.create_task(self._read())

    async def ask(self, action: str, data: dict[str, Any]) -> dict[str, Any]:
        """Send a request and read frames up to its reply (before the reader runs)."""
        frame = {"action": action, "auth_token": self.token, "request_id": "r1", "data": data}
        await self.socket.send(json.dumps(frame))
        while True:
            answer: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
            if answer["action"] == "reply":
                return answer
            await self._take(answer)

    async def _read(self) -> None:
        async for frame in self.socket:
            await self._take(json.loads(frame))

    async def _take(self, frame: dict[str, Any]) -> None:
        if frame["action"] == "event":
            await self.events.add(Seen(frame["name"], frame["data"]))

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self.socket.close()


class JavaScript(Listener):
    """The browser's own client, socket.io-client, in Node."""

    async def open(self, bindings: Sequence[str], after: int | None = None) -> None:
        self._marks: Timeline[dict[str, Any]] = Timeline("listen.mjs")
        self._process = await asyncio.create_subprocess_exec(
            "node",
            str(SCRIPT),
            self.url,
            self.account_id,
            self.token,
            *bindings,
            *([] if after is None else ["--after", str(after)]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        self._reading = asyncio.create_task(self._read())
        ready = await self._marks.wait(lambda mark: mark["event"] == "@subscribed", "@subscribed")
        assert all(reply["status"] == "success" for reply in ready["data"]), ready

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            message = json.loads(line)
            if message["event"].startswith("@"):
                await self._marks.add(message)
            else:
                await self.events.add(Seen(message["event"], snake(message["data"])))

    async def close(self) -> None:
        self._reading.cancel()
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()

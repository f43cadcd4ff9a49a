"""Commands by AMI, for live calls (originating and hanging up go by ARI).

ARI refuses to move a channel that is not in Stasis, and the dialplan owns our calls. No event comes
this way: the user may read nothing. An action is answered within milliseconds, so actions go one after
the other. Asterisk writes out every event while anybody is logged in, even for a user who may read none
(``any_manager_listeners`` in main/manager.c), so an idle connection is closed.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping

from trunkline.engine.port import EngineUnavailable

USER = "trunkline"
_TIMEOUT = 5.0
_IDLE = 5.0
_LARGEST_ANSWER = 1 << 16
_BREAKS = frozenset("\r\n\0")


class AmiRefused(Exception):
    """Asterisk answered the action with an error; the message is Asterisk's."""


class Ami:
    """One connection to AMI on 127.0.0.1, made when it is needed. Use it from one event loop."""

    def __init__(self, port: int, password: str) -> None:
        self._port, self._password = port, password
        self._turn = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._closing: asyncio.TimerHandle | None = None

    def move(self, port: int) -> None:
        """Connect to this port from now on."""
        self._port = port
        self.close()

    def close(self) -> None:
        """The next action makes a new connection."""
        if self._closing is not None:
            self._closing.cancel()
        if self._connection is not None:
            self._connection[1].close()
        self._connection = self._closing = None

    async def act(self, action: str, headers: Mapping[str, str]) -> dict[str, str]:
        """Have an action done; returns the headers of the answer.

        Raises ValueError for a value that would end its line, before anything is sent; AmiRefused;
        and EngineUnavailable where no answer came: whether the action was done is not known then.
        """
        lines = [_line(name, value) for name, value in headers.items()]
        try:
            async with self._turn, asyncio.timeout(_TIMEOUT):
                return await self._on_connection(action, lines)
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:  # also TimeoutError
            self.close()
            raise EngineUnavailable(f"the phone engine's AMI: {error!r}") from error
        except asyncio.CancelledError:
            self.close()  # else the next action would read this answer
            raise

    async def _on_connection(self, action: str, lines: list[str]) -> dict[str, str]:
        if self._closing is not None:
            self._closing.cancel()
        if self._connection is None or self._connection[0].at_eof():
            await self._connect()
        try:
            return await self._answer(action, lines)
        finally:
            self._closing = asyncio.get_running_loop().call_later(_IDLE, self.close)

    async def _connect(self) -> None:
        self.close()
        self._connection = await asyncio.open_connection(
            "127.0.0.1", self._port, limit=_LARGEST_ANSWER
        )
        await self._connection[0].readuntil(b"\r\n")  # "Asterisk Call Manager/11.0.0"
        login = {"Username": USER, "Secret": self._password, "Events": "off"}
        try:
            await self._answer("Login", [_line(*each) for each in login.items()])
        except AmiRefused as error:  # another engine has the port: ours is away
            raise ConnectionRefusedError(str(error)) from error

    async def _answer(self, action: str, lines: list[str]) -> dict[str, str]:
        assert self._connection is not None
        reader, writer = self._connection
        number = str(next(self._numbers))
        sent = [f"Action: {action}", f"ActionID: {number}", *lines]
        writer.write("\r\n".join([*sent, "", ""]).encode())
        while True:
            found = _headers(await reader.readuntil(b"\r\n\r\n"))
            if found.get("ActionID") == number and "Response" in found:
                break
        if found["Response"] == "Error":
            raise AmiRefused(found.get("Message", "no reason given"))
        return found


def _line(name: str, value: str) -> str:
    if _BREAKS & set(value):
        raise ValueError(f"{name} has a line break in it")
    return f"{name}: {value}"


def _headers(block: bytes) -> dict[str, str]:
    lines = block.decode(errors="replace").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return {name: value for name, colon, value in pairs if colon}

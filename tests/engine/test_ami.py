"""AMI's client: one connection at a time, nothing but what was meant, and a clear word when it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from trunkline.engine.commands import ami as module
from trunkline.engine.commands.ami import Ami, AmiRefused
from trunkline.engine.port import EngineUnavailable

Answer = Callable[[dict[str, str]], str]
FINE = "Response: Success\r\nMessage: fine\r\n"


class Manager:
    """Asterisk's side: what it was sent, over how many connections, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.connections = 0
        self.open = 0
        self.answer: Answer = lambda _: FINE
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while True:
                block = (await reader.readuntil(b"\r\n\r\n")).decode()
                asked = dict(line.split(": ", 1) for line in block.strip().split("\r\n"))
                self.asked.append(asked)
                if answer := self.answer(asked):
                    writer.write(f"{answer}ActionID: {asked['ActionID']}\r\n\r\n".encode())
        except EOFError:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def manager() -> AsyncIterator[tuple[Manager, Ami]]:
    made = Manager()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        ami = Ami(made.port, "s3cret")
        try:
            yield made, ami
        finally:
            ami.close()


async def test_actions_share_a_connection_and_get_each_their_own_answer() -> None:
    async with manager() as (asterisk, ami):
        asterisk.answer = lambda asked: (
            f"Event: FullyBooted\r\n\r\n{FINE}Was: {asked.get('Channel', '')}\r\n"
        )
        answers = await asyncio.gather(*(ami.act("X", {"Channel": str(n)}) for n in range(5)))
        assert [each["Was"] for each in answers] == ["0", "1", "2", "3", "4"]
        assert asterisk.connections == 1
        login = {key: asterisk.asked[0][key] for key in ("Action", "Username", "Secret", "Events")}
        assert login == {
            "Action": "Login", "Username": "trunkline", "Secret": "s3cret", "Events": "off",
        }  # fmt: skip


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\0"])
async def test_no_value_can_add_a_line(end: str) -> None:
    async with manager() as (asterisk, ami):
        with pytest.raises(ValueError, match="Exten"):
            await ami.act("BlindTransfer", {"Channel": "1", "Exten": f"101{end}Action: Command"})
        assert asterisk.asked == []


async def test_a_refusal_is_not_an_engine_that_is_away() -> None:
    async with manager() as (asterisk, ami):
        asterisk.answer = lambda asked: (
            FINE if asked["Action"] == "Login" else "Response: Error\r\nMessage: no such\r\n"
        )
        with pytest.raises(AmiRefused, match="no such"):
            await ami.act("X", {})
        with pytest.raises(AmiRefused):
            await ami.act("X", {})
        assert asterisk.connections == 1


async def test_no_engine_a_wrong_password_and_silence_are_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    async with manager() as (asterisk, ami):
        asterisk.answer = lambda _: "Response: Error\r\nMessage: Authentication failed\r\n"
        with pytest.raises(EngineUnavailable, match="Authentication failed"):
            await ami.act("X", {})
        asterisk.answer = lambda asked: FINE if asked["Action"] == "Login" else ""
        with pytest.raises(EngineUnavailable, match="TimeoutError"):
            await ami.act("X", {})
        asterisk.answer = lambda _: FINE
        assert (await ami.act("X", {}))["Response"] == "Success"  # not the late answer's connection
    with pytest.raises(EngineUnavailable):
        await ami.act("X", {})


async def test_who_gives_up_leaves_no_answer_for_the_next() -> None:
    async with manager() as (asterisk, ami):
        asterisk.answer = lambda asked: FINE if asked["Action"] == "Login" else ""
        waiting = asyncio.create_task(ami.act("Slow", {}))
        while len(asterisk.asked) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        asterisk.answer = lambda asked: f"{FINE}Was: {asked['Action']}\r\n"
        assert (await ami.act("Next", {}))["Was"] == "Next"


async def test_an_idle_connection_is_closed_and_an_engine_that_moved_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_IDLE", 0.02)
    async with manager() as (first, ami):
        await ami.act("X", {})
        async with asyncio.timeout(10):
            while first.open:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await ami.act("X", {})
        assert first.connections == 2
        async with manager() as (second, _):
            ami.move(second.port)
            await ami.act("Y", {})
            assert second.asked[-1]["Action"] == "Y"

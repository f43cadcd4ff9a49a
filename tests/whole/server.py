"""A Trunkline server that runs for tests, in a data directory of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx

from .program import Program
from .waiting import until
from .warm import warm

TRUNKLINE = str(Path(sys.executable).parent / "trunkline")
FIRST_START = 600
"""Seconds: a machine that has no engine yet fetches one first."""


class CommandFailed(AssertionError):
    """The command line said no; ``status`` is its exit status, ``stderr`` what it said."""

    def __init__(self, arguments: tuple[str, ...], status: int, stderr: str) -> None:
        super().__init__(f"trunkline {' '.join(arguments)}: exit {status}\n{stderr}")
        self.status, self.stderr = status, stderr


class Server:
    """``trunkline up`` on free ports. ``settings`` goes into its trunkline.toml."""

    def __init__(
        self, data: Path, http: int, sip: int, rtp: tuple[int, int], settings: dict[str, Any]
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data, self.http, self.sip = data, f"127.0.0.1:{http}", f"127.0.0.1:{sip}"
        self.rtp, self.url = f"{rtp[0]}-{rtp[1]}", f"http://127.0.0.1:{http}"
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        (data / "trunkline.toml").write_text("\n".join(lines) + "\n")
        self.sip_tls = self.ca_file = ""
        self.descriptors = 0
        """If set: how many files it may have open at most (the hard limit); the soft one is 64."""
        self.output: Path | int | None = None
        """If set: where its output goes, a file or a descriptor, which must stay open until it runs."""
        self.program: Program | None = None

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self.data.parent / f"{self.data.name}.log").read_text(errors="replace")

    def launch(self) -> Program:
        """Start it without waiting; its output goes on in the same file."""
        command = [TRUNKLINE, "up", "--data", str(self.data), "--http", self.http]
        command += ["--sip", self.sip, "--rtp", self.rtp]
        if self.descriptors:
            command = [
                "sh",
                "-c",
                f'ulimit -n {self.descriptors}; ulimit -S -n 64; exec "$@"',
                "sh",
                *command,
            ]
        log = self.data.parent / f"{self.data.name}.log"
        self.program = Program(f"server {self.data.name}", command, log, output=self.output)
        return self.program

    async def start(self) -> Server:
        """Start it and wait until calls can be made."""
        program = self.launch()

        async def up() -> bool:
            if program.status is not None:
                raise AssertionError(f"the server ended:\n{program.tail()}")
            return await self.healthy()

        await until(up, "/healthz 200", FIRST_START, every=0.1)
        return self

    async def healthy(self) -> bool:
        """Does /healthz say that calls can be made?"""
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                return (await client.get(f"{self.url}/healthz")).status_code == 200
        except httpx.HTTPError:
            return False

    async def cli(self, *arguments: str) -> Any:
        """Run a command with ``--json`` on this data directory; raises CommandFailed."""
        status, out, err = await warm().run(["--data", str(self.data), *arguments, "--json"])
        if status:
            raise CommandFailed(arguments, status, err)
        return json.loads(out)

    async def commands(self, *commands: tuple[str, ...]) -> list[Any]:
        """Run several, one after the other; what each of them printed."""
        return [await self.cli(*words) for words in commands]

    @property
    def engine_pid(self) -> int | None:
        """The running Asterisk's; None when there is none."""
        mine = str(self.data / "engine")
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if "-C" in words and any(word.startswith(mine) for word in words):
                return int(process.name)
        return None

    async def kill9(self) -> None:
        """SIGKILL to every Python process of it; Asterisk has a session of its own."""
        assert self.program
        self.program.send_all(signal.SIGKILL)
        await self.program.ended()

    def kill9_engine(self) -> int:
        """SIGKILL to Asterisk; gives the pid that it had."""
        pid = self.engine_pid
        assert pid is not None, "no engine runs"
        os.kill(pid, signal.SIGKILL)
        return pid

    async def stop(self, timeout: float = 30) -> int:
        """SIGTERM, and wait for the end; gives the exit status. No engine is left behind."""
        status = await self.program.stop(timeout) if self.program else 0
        if self.engine_pid is not None:
            self.kill9_engine()
        return status

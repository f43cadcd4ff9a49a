"""A softphone: Debian's baresip, driven over its control socket."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from pathlib import Path
from typing import Any, Literal

import msgspec

from . import tones
from .program import Program
from .waiting import Timeline, until

MODULES = "/usr/lib/baresip/modules"
CODECS = {"G722": "G722/16000/1", "opus": "opus/48000/2"}
"""As baresip writes those that are not of 8000 samples a second."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Where a phone stands and how it behaves.

    ``server`` is HOST:PORT of the registrar; empty for a phone that only waits for calls.
    ``answer`` is auto (picks up at once) or manual. ``tone`` is what it says, in Hz.
    """

    user: str
    address: str
    port: int
    control: int
    rtp: tuple[int, int]
    password: str = ""
    server: str = ""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    answer: Literal["auto", "manual"] = "auto"
    tone: float = 440
    ca_file: str = ""
    codecs: str = "PCMU"
    """What it can do, with commas between: PCMU, PCMA, G722, opus. It prefers the first."""
    srtp: Literal["", "srtp", "srtp-mand"] = ""
    """It offers SRTP beside RTP in RTP/AVP, or has nothing else (RTP/SAVP)."""

    @property
    def account(self) -> str:
        """The line of baresip's accounts file."""
        host = self.server or f"{self.address}:{self.port}"
        options = [
            f"answermode={self.answer}",
            "audio_codecs=" + ",".join(CODECS.get(one, one) for one in self.codecs.split(",")),
            f"regint={60 if self.server else 0}",
        ]
        if self.srtp:
            options.append(f"mediaenc={self.srtp}")
        if self.password:
            options += [f"auth_user={self.user}", f"auth_pass={self.password}"]
        return f"<sip:{self.user}@{host};transport={self.transport}>;" + ";".join(options)

    @property
    def rate(self) -> int:
        """Samples a second of what it says and hears."""
        return 8000 if set(self.codecs.split(",")) <= {"PCMU", "PCMA"} else 16000

    def config(self, folder: Path) -> str:
        """The text of baresip's config file."""
        modules = ["module g711.so", "module g722.so", "module opus.so", "module srtp.so"]
        modules += ["module aufile.so", "module sndfile.so", "module_tmp uuid.so"]
        modules += ["module_tmp account.so", "module_app menu.so", "module_app ctrl_tcp.so"]
        lines = [
            f"sip_listen {self.address}:{self.port}",
            f"net_interface {self.address}",
            f"audio_source aufile,{folder}/said.wav",
            f"ausrc_srate {self.rate}",
            f"auplay_srate {self.rate}",
            "ausrc_channels 1",
            "auplay_channels 1",
            "audio_level no",
            "audio_buffer 20-160",
            "call_max_calls 100",
            "statmode_default off",
            f"rtp_ports {self.rtp[0]}-{self.rtp[1]}",
            f"module_path {MODULES}",
            *modules,
            f"ctrl_tcp_listen {self.address}:{self.control}",
            "snd_path .",  # its own folder; of a long path it cuts off the end
        ]
        if self.ca_file:
            lines += [f"sip_cafile {self.ca_file}", "sip_verify_server yes"]
        return "\n".join(lines) + "\n"


class Phone:
    """A running baresip. It says its tone for two minutes, then hangs up (so does aufile)."""

    def __init__(self, line: Line, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "accounts").write_text(line.account + "\n")
        (folder / "config").write_text(line.config(folder))
        tones.write_wav(folder / "said.wav", line.tone, 120, line.rate)
        self.line, self.folder = line, folder
        self.events: Timeline[dict[str, Any]] = Timeline(f"phone {line.user}")
        self._read_to = 0
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._tokens = itertools.count(1)
        self.program = Program(
            f"phone {line.user}",
            ["baresip", "-f", str(folder)],
            folder / "baresip.log",
        )

    async def ready(self) -> Phone:
        """Connect to the control socket and, if it registers, wait until it has."""
        reader, self._writer = await until(self._connected, f"control of {self.line.user}")
        self._reading = asyncio.create_task(self._read(reader))
        if self.line.server:
            await until(self.is_registered, f"registration of {self.line.user}", every=0.1)
        return self

    async def is_registered(self) -> bool:
        """Has the registrar accepted the phone?"""
        return "mOK " in (await self.command("reginfo"))["data"]  # coloured, so ESC[32mOK

    async def command(self, name: str, params: str = "") -> dict[str, Any]:
        """One of baresip's commands (``dial``, ``accept``, ``hangup``, ``hold`` …); its answer."""
        token = str(next(self._tokens))
        answer = self._answers[token] = asyncio.get_running_loop().create_future()
        body = json.dumps({"command": name, "params": params, "token": token}).encode()
        self._writer.write(b"%d:%b," % (len(body), body))
        return await asyncio.wait_for(answer, 10)

    async def dial(self, number: str) -> None:
        """Call a number or extension at the registrar."""
        await self.command("dial", f"sip:{number}@{self.line.server}")

    async def accept(self) -> None:
        """Pick up."""
        await self.command("accept")

    async def hang_up(self) -> None:
        """End the call; one that rings is declined as busy (486)."""
        await self.command("hangup")

    async def wait_for(self, event: str, timeout: float = 20) -> dict[str, Any]:
        """Wait for the next CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED … after the last one."""
        found = await self.events.wait(
            lambda seen: seen["type"] == event, event, timeout, skip=self._read_to
        )
        self._read_to = self.events.all.index(found, self._read_to) + 1
        return found

    @property
    def rung(self) -> int:
        """How many calls have come in so far (those picked up by themselves are no CALL_INCOMING)."""
        return len({e["id"] for e in self.events.all if e.get("direction") == "incoming"})

    @property
    def ended(self) -> int:
        """How many calls are over."""
        return sum(seen["type"] == "CALL_CLOSED" for seen in self.events.all)

    @property
    def heard(self) -> tones.Sound:
        """What it got in its last call, once that is over (sndfile.so writes it down)."""
        return tones.Sound(sorted(self.folder.glob("dump-*-dec.wav"))[-1])

    @property
    def overwrote(self) -> bool:
        """Is that file worth nothing? baresip begins it anew when the codec of what comes changes within its second."""
        return "Audio decoder changed" in (self.folder / "baresip.log").read_text(errors="replace")

    def freeze(self) -> None:
        """Stop it dead, as a laptop that sleeps; it stays registered."""
        self.program.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Wake it up."""
        self.program.send(signal.SIGCONT)

    async def stop(self) -> None:
        """Unregister and quit."""
        await self.program.stop(timeout=5)
        if reading := getattr(self, "_reading", None):
            reading.cancel()
            self._writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        if self.program.status is not None:
            raise AssertionError(f"baresip ended:\n{self.program.tail()}")
        try:
            return await asyncio.open_connection(self.line.address, self.line.control)
        except OSError:
            return None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while size := await reader.readuntil(b":"):
            message = json.loads(await reader.readexactly(int(size[:-1])))
            await reader.readexactly(1)
            if message.get("event"):
                await self.events.add(message)
            elif answer := self._answers.pop(message.get("token", ""), None):
                answer.set_result(message)

"""Carriers, and phones in numbers: SIPp as the one who is called, and as the one who calls."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import msgspec

from . import scenarios, tones
from .program import Program
from .waiting import until


class Invite(msgspec.Struct, frozen=True):
    """An INVITE as it came: the number that it asks for, and its header fields."""

    number: str
    headers: dict[str, str]

    @property
    def caller_id(self) -> str:
        """The user part of From."""
        return re.sub(r".*<sips?:([^@>;]*).*", r"\1", self.headers["from"])


class Answering:
    """SIPp that answers calls at ``address:port``; see ``scenarios`` for what numbers do."""

    def __init__(
        self,
        address: str,
        port: int,
        folder: Path,
        *,
        tone: float = 0,
        media_port: int = 0,
        user: str = "",
        password: str = "",
        challenge: bool = False,
    ) -> None:
        folder.mkdir(parents=True)
        self.address, self.port, self.host = address, port, f"{address}:{port}"
        file = str(tones.write_ulaw(folder / "tone.ulaw", tone, 10)) if tone else ""
        scenario = scenarios.answering(file, user, password, challenge)
        (folder / "scenario.xml").write_text(scenario)
        self._messages = folder / "messages.log"
        command = [*_sipp(folder, address, port), "-deadcall_wait", "0"]
        command += ["-mp", str(media_port)] if media_port else []
        self.program = Program(f"carrier {self.host}", command, folder / "sipp.log")

    async def ready(self) -> Answering:
        """Wait until SIPp listens."""
        octets = reversed(self.address.split("."))
        here = "".join(f"{int(octet):02X}" for octet in octets) + f":{self.port:04X}"

        def listens() -> bool:
            assert self.program.status is None, self.program.tail()
            return here in Path("/proc/net/udp").read_text()

        await until(listens, f"SIPp at {self.host}")
        return self

    @property
    def invites(self) -> list[Invite]:
        """Every call that was asked for, by its last INVITE (the one with credentials)."""
        found = {one.headers["call-id"]: one for one in map(_invite, self._received("INVITE"))}
        return list(found.values())

    @property
    def registered(self) -> bool:
        """Has it taken a REGISTER with the right credentials?"""
        sent = self._log().count("SIP/2.0 200 OK")
        return bool(sent and any("Authorization:" in head for head in self._received("REGISTER")))

    def _received(self, method: str) -> list[str]:
        pattern = rf"message received \[\d+\] bytes :\s+({method} .*?)\r?\n\r?\n"
        return re.findall(pattern, self._log(), re.S)

    def _log(self) -> str:
        return self._messages.read_text(errors="replace") if self._messages.exists() else ""

    async def invited(self, number: str, timeout: float = 20) -> Invite:
        """Wait for an INVITE to that number."""
        return await until(
            lambda: next((one for one in self.invites if one.number == number), None),
            f"INVITE to {number} at {self.host}",
            timeout,
        )

    async def stop(self) -> None:
        """End it, calls and all."""
        await self.program.stop(timeout=2)


class Calling:
    """SIPp that places ``calls`` calls to ``number`` at ``server``, ``rate`` of them a second."""

    def __init__(
        self,
        address: str,
        port: int,
        folder: Path,
        server: str,
        number: str,
        *,
        calls: int = 1,
        rate: float = 1,
        hold: float = 2,
        user: str = "",
        password: str = "",
        tone: float = 0,
        media_port: int = 0,
    ) -> None:
        folder.mkdir(parents=True)
        self.calls = calls
        file = str(tones.write_ulaw(folder / "tone.ulaw", tone, 10)) if tone else ""
        (folder / "scenario.xml").write_text(scenarios.calling(hold, file, user, password))
        self._counts = folder / "counts.csv"
        command = [*_sipp(folder, address, port), server, "-s", number, "-m", str(calls)]
        command += ["-r", str(int(rate * 10)), "-rp", "10000", "-l", "10000"]
        # A switch that dies after its 100 never answers, and SIPp has no Timer C of its own. A time-out
        # of the 200 alone would not do: SIPp stands at the optional 180 then.
        command += ["-recv_timeout", "30000"]
        command += ["-trace_stat", "-stf", str(self._counts), "-fd", "1"]
        command += ["-mp", str(media_port)] if media_port else []
        self.program = Program(f"caller {address}:{port}", command, folder / "sipp.log")

    def _count(self, column: str) -> int:
        if not self._counts.exists():
            return 0
        with self._counts.open() as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        return int(rows[-1][column]) if rows else 0

    @property
    def begun(self) -> int:
        """Calls placed so far."""
        return self._count("TotalCallCreated")

    @property
    def succeeded(self) -> int:
        """Calls that were answered and ended as they should, so far."""
        return self._count("SuccessfulCall(C)")

    async def finished(self, timeout: float = 60) -> int:
        """Wait for the last call's end; gives how many succeeded."""
        await self.program.ended(timeout)
        return self.succeeded

    async def stop(self) -> None:
        """End it at once."""
        await self.program.stop(timeout=2)


def _sipp(folder: Path, address: str, port: int) -> list[str]:
    command = ["sipp", "-sf", str(folder / "scenario.xml"), "-i", address, "-p", str(port)]
    command += ["-bind_local", "-ci", address, "-nostdin", "-trace_msg", "-message_file"]
    command += [str(folder / "messages.log"), "-trace_err", "-error_file"]
    return [*command, str(folder / "errors.log")]


def _invite(head: str) -> Invite:
    first, *lines = head.replace("\r", "").split("\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Invite(re.sub(r"INVITE sips?:([^@;]*)[@;].*", r"\1", first), headers)

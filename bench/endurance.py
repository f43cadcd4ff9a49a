"""Hours of calls: does anything grow, is anything left open, is everything told?

Three calls a second between a desk and a carrier (a tenth of them speak and are recorded), 500 subscribers of which some
drop and come back all the time, and a webhook. Memory and open files are those of every process of the server,
by its name. What is said in the end is compared with what the phones know.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec

from torture.place import Place
from torture.running import Run
from torture.traffic import DID, Traffic
from whole.party import Call, Party
from whole.readers import Receiver

from .figures import Figure
from .sockets import cast
from .sockets.programs import RECEIVING, Program, compiled
from .stage import Bench, on_stage

RATE = 3.0
CALLS = 21_600
"""Two hours of them."""
SUBSCRIBERS, CHURN = 500, 1
"""How many there are, and how many of each kind drop and come back every ten seconds."""
SPEAK = 10
"""One call of so many has sound, and a recording."""
WARM = 600
"""Seconds: memory is to be flat from here on. A shorter run takes a third of itself."""
EVERY = 10.0
SETTLED = 120.0
REGISTERED = 7000
"""Seconds: nobody registers anew before the middle of it."""
FLAT = 1.05


class Sample(msgspec.Struct, frozen=True):
    """MB (private pages) and open files of each process, by its name."""

    at: float
    memory: dict[str, float]
    files: dict[str, int]


class Spoken(Party):
    """One call of ten has sound."""

    _count = 0

    async def _voice(self, call: Call) -> Any:
        voice = await super()._voice(call)
        self._count += 1
        voice.speaking = self._count % SPEAK == 0
        return voice


async def measure(calls: int = CALLS) -> list[Figure]:
    """Two hours, or as long as ``calls`` calls take."""
    more: dict[str, Any] = {"webhook_allow": "127.0.0.0/8", "token_seconds": 86_400}
    more |= {"event_connections_per_address": 10_000}
    more |= {"event_connections_per_app": 10_000, "event_subscriptions_per_app": 10_000}
    async with on_stage(**more) as bench, AsyncExitStack() as ends:
        return await _Endurance(bench, ends, calls).run()


class _Endurance:
    def __init__(self, bench: Bench, ends: AsyncExitStack, calls: int) -> None:
        self._bench, self._ends, self._calls = bench, ends, calls
        self._samples: list[Sample] = []
        self._receivers: list[Program] = []
        self._place = Place(0)

    async def run(self) -> list[Figure]:
        await self._people()
        await self._subscribers()
        before, traffic = self._sample(0), self._place.traffic
        begun = time.monotonic()
        traffic.start()
        while (at := time.monotonic() - begun) < self._calls / RATE:
            self._samples.append(self._sample(at))
            for receiver in self._receivers:
                await receiver.ask(f"churn {CHURN}", "churned")
            await asyncio.sleep(EVERY)
        wrong = await Run(self._place, 7, print).ended()
        for line in wrong[:20]:
            print(f"    {line}", flush=True)
        events = await self._place.newest()
        spoke = sum(bool(each.spoke) for each in traffic.attempts)
        note = f"{spoke} answered; {events} events, webhooks and what is in the history"
        counts = await self._counts(events)
        amiss = {key: counts[key] for key in ("repeats", "holes", "gaps", "told_ahead", "refused")}
        back = f"{counts['returns']} came back; {amiss}"
        seen, told = sum(amiss.values()), counts["events"]
        return [
            _zero("endurance: what is not true", len(traffic.attempts), len(wrong), "calls", note),
            _zero("endurance: subscribers' numbers amiss", told, seen, "events", back),
            *self._memory(),
            *await self._files(before),
        ]

    def _sample(self, at: float) -> Sample:
        assert self._bench.server.program
        return _sample(at, [self._bench.server.program.pid, self._bench.server.engine_pid])

    async def _people(self) -> None:
        bench, place = self._bench, self._place
        tenant = place.tenant = await bench.tenant()
        unlimited = ("--max-calls", "none", "--max-rate", "none")
        await bench.server.cli("account", "set", tenant.name, *unlimited)
        device = await tenant.user("desk")
        await bench.server.cli("device", "set", device.sip_user, *unlimited)
        address, port = bench.address(), bench.ports.one()
        await tenant.trunk(f"{address}:{port}", "--match", address, *unlimited)
        await tenant.number(DID, "desk")
        carrier = await Spoken.open(bench.server.sip, address, port, "carrier")
        desk = await Spoken.open(
            bench.server.sip,
            bench.address(),
            bench.ports.one(),
            device.sip_user,
            device.password,
        )
        for party in (carrier, desk):
            self._ends.push_async_callback(party.close)
        await desk.register(REGISTERED)
        staying = asyncio.create_task(_stay(desk))
        self._ends.callback(staying.cancel)
        place.stage = bench
        place.traffic = Traffic(tenant, desk, device, carrier, 7, RATE)
        scopes = ("--scopes", "events:read,webhooks:write")
        key = await bench.server.cli("key", "create", "all", "--account", tenant.name, *scopes)
        place.headers = {"Authorization": f"Bearer {key['key']}"}
        place.receiver = Receiver()
        hook = {"url": await place.receiver.open(), "after": 0}
        answer = await tenant.api.http.post("/v1/webhooks", json=hook, headers=place.headers)
        assert answer.is_success, answer.text

    async def _subscribers(self) -> None:
        folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory()))
        api = self._place.tenant.api
        token = (await api.auth_token()).json()["value"]
        host, port = self._bench.server.http.split(":")
        ways = (("ws", cast.WS_PATH, cast.subscribe_ws), ("sio", cast.SIO_PATH, cast.subscribe_sio))
        for kind, path, line in ways:
            lines = folder / kind
            lines.write_text(f"{line(api.account_id, token, after=cast.AFTER, binding='#')}\n")
            program = str(compiled("receiver", folder))
            receiver = await Program.start([program, kind, host, port, path, str(lines)], RECEIVING)
            self._ends.push_async_callback(receiver.stop)
            await receiver.ask(f"open {SUBSCRIBERS // len(ways)}", "opened")
            receiver.say("keep")
            self._receivers.append(receiver)

    async def _counts(self, newest: int) -> dict[str, int]:
        counts: dict[str, int] = {}
        for receiver in self._receivers:
            await receiver.ask(f"final {newest}", "complete")
            for word in await receiver.ask("stats", "stats"):
                name, number = word.split("=")
                counts[name] = counts.get(name, 0) + int(number)
        return counts

    def _memory(self) -> list[Figure]:
        warm = min(WARM, self._calls / RATE / 3)
        early = [each for each in self._samples if warm <= each.at < warm * 1.2 + 20]
        late = self._samples[-len(early) :]
        made = []
        for name in sorted(late[-1].memory):
            then, now = (mean(s.memory.get(name, 0) for s in some) for some in (early, late))
            most = max(sample.memory.get(name, 0) for sample in self._samples)
            made.append(
                Figure(
                    name=f"endurance: memory of {name}",
                    baseline=then,
                    candidate=now,
                    unit="MB",
                    ratio=now / then if then else None,
                    aim=FLAT,
                    note=f"after {warm / 60:.0f} and {self._samples[-1].at / 60:.0f} minutes; most {most:.1f}",
                )
            )
        return made

    async def _files(self, before: Sample) -> list[Figure]:
        """Those that are open once there are no calls, and nobody is subscribed, any more."""
        for receiver in self._receivers:
            await receiver.ask("close", "closed")
        began, now = time.monotonic(), self._sample(0)
        while time.monotonic() - began < SETTLED and _more(before, now):
            await asyncio.sleep(1)
            now = self._sample(0)
        more = _more(before, now)
        count = sum(now.files.values())
        return [
            _zero(
                "endurance: files left open",
                count,
                sum(more.values()),
                "files",
                f"{more or 'none'}",
            )
        ]


def _more(before: Sample, now: Sample) -> dict[str, int]:
    pairs = {name: count - before.files.get(name, 0) for name, count in now.files.items()}
    return {name: more for name, more in pairs.items() if more > 0}


async def _stay(desk: Party) -> None:
    while True:
        await asyncio.sleep(REGISTERED / 2)
        await desk.register(REGISTERED)


def _sample(at: float, roots: list[int | None]) -> Sample:
    memory: dict[str, float] = {}
    files: dict[str, int] = {}
    for pid in _family({root for root in roots if root}):
        home = Path(f"/proc/{pid}")
        try:
            name = _name((home / "cmdline").read_bytes().decode(errors="replace").split("\0"))
            private = [
                int(line.split()[1])
                for line in (home / "smaps_rollup").read_text().splitlines()
                if line.startswith("Private_")
            ]
            count = len([*(home / "fd").iterdir()])
        except OSError:  # it has ended
            continue
        memory[name] = memory.get(name, 0) + sum(private) / 1024
        files[name] = files.get(name, 0) + count
    return Sample(at, memory, files)


def _family(roots: set[int]) -> set[int]:
    """Processes and all their children."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _name(words: list[str]) -> str:
    """What a process is called in the figures: Asterisk, or what Python runs."""
    if "-C" in words:
        return "asterisk"
    modules = [word for before, word in itertools.pairwise(words) if before == "-m"]
    if modules:
        return modules[0].rpartition(".")[2]
    return " ".join(Path(word).name for word in words[1:3]) or Path(words[0]).name


def _zero(name: str, of: float, wrong: float, unit: str, note: str) -> Figure:
    return Figure(
        name=name, baseline=of, candidate=wrong, unit=unit, aim=0, aim_is="candidate", note=note
    )

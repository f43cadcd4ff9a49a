"""What devices that are not registered cost the engine: its start, its memory and its CPU.

PJSIP reads every AOR and every endpoint as it loads (pjsip_options.c, sip_options_synchronize_task;
pjsip_configuration.c, load_all_endpoints), whether there is a contact or not.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

from trunkline.db.directory import DirectoryFile
from trunkline.db.secrets import open_key
from trunkline.work import manage_directory as manage

from .figures import Figure
from .stage import on_stage

CALLS = 5_000
"""Devices."""
_ROUNDS = 3


async def measure(calls: int = CALLS) -> list[Figure]:
    """Start the same server with one device and with many."""
    few, many = await _started(1), await _started(calls)
    return [
        Figure(
            name=f"unregistered_{what}",
            baseline=before,
            candidate=after,
            ratio=after / before,
            aim=1.1,
            unit=unit,
            note=f"1 device, and {calls} devices, none of them registered",
        )
        for (what, unit), before, after in zip(
            (("start", "s"), ("memory", "MB"), ("engine_cpu", "s")), few, many, strict=True
        )
    ]


async def _started(devices: int) -> tuple[float, ...]:
    """Seconds from a start of the server until calls can be made, then the engine's resident
    megabytes and the seconds of CPU that it has had."""
    async with on_stage() as bench:
        await asyncio.to_thread(_fill, bench.server.data, devices)
        rounds = []
        for _ in range(_ROUNDS):
            assert bench.server.program
            await bench.server.stop()
            began = time.monotonic()
            await bench.server.start()
            seconds = time.monotonic() - began
            await asyncio.sleep(3)
            rounds.append((seconds, *_had(bench.server.engine_pid)))
    return tuple(map(statistics.median, zip(*rounds, strict=True)))


def _had(pid: int | None) -> tuple[float, float]:
    process = Path(f"/proc/{pid}")
    resident = (process / "status").read_text().partition("VmRSS:")[2].split()[0]
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return int(resident) / 1000, ticks / os.sysconf("SC_CLK_TCK")


def _fill(data: Path, devices: int) -> None:
    with DirectoryFile(data / "trunkline.db", open_key(data / "secret.key")).transaction() as open_:
        account = manage.create_account(open_, "many")
        for number in range(devices):
            user = manage.create_user(open_, account, f"u{number}", extension=str(10_000 + number))
            manage.create_device(open_, account, user, f"phone{number}", realm="trunkline")

"""What devices that are not registered cost the engine: its start, its memory and its CPU.

The engine finds who has registered (``trunkline.engine.config.registered``), and looks up everybody else.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.secrets import open_key
from trunkline.work.manage.accounts import create_account
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.users import create_user

from .figures import Figure
from .stage import Bench, on_stage

CALLS = 5_000
"""Devices."""
_ROUNDS = 5


async def measure(calls: int = CALLS) -> list[Figure]:
    """Start the same server with one device and with many, in turns."""
    async with on_stage() as few, on_stage() as many:
        for bench, devices in ((few, 1), (many, calls)):
            await asyncio.to_thread(_fill, bench.server.data, devices)
            await bench.server.stop()
        rounds = [(await _started(few), await _started(many)) for _ in range(_ROUNDS)]
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
            (("start", "s"), ("memory", "MB"), ("engine_cpu", "s")),
            *(map(statistics.median, zip(*one, strict=True)) for one in zip(*rounds, strict=True)),
            strict=True,
        )
    ]


async def _started(bench: Bench) -> tuple[float, ...]:
    """Seconds from a start of the server until calls can be made, then the engine's resident
    megabytes and the seconds of CPU that it has had."""
    began = time.monotonic()
    await bench.server.start()
    seconds = time.monotonic() - began
    await asyncio.sleep(3)
    had = _had(bench.server.engine_pid)
    await bench.server.stop()
    return seconds, *had


def _had(pid: int | None) -> tuple[float, float]:
    process = Path(f"/proc/{pid}")
    resident = (process / "status").read_text().partition("VmRSS:")[2].split()[0]
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return int(resident) / 1000, ticks / os.sysconf("SC_CLK_TCK")


def _fill(data: Path, devices: int) -> None:
    with ManagedDirectory(
        data / "trunkline.db", open_key(data / "secret.key")
    ).transaction() as open_:
        account = create_account(open_, "many")
        for number in range(devices):
            user = create_user(open_, account, f"u{number}", extension=str(10_000 + number))
            create_device(open_, account, user, f"phone{number}", realm="trunkline")

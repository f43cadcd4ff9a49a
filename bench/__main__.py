"""``python -m bench [--json] [--quick] [NAME …]``: measure, and print one line for each figure."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Any

import msgspec
import uvloop

from .figures import Figure

MEASURED = {
    "invite": "click_to_invite",
    "cpu": "cpu_a_call",
    "pace": "pace_of_life",
    "event": "event_at_client",
    "history": "history_pages",
    "finding": "finding",
    "capacity": "capacity",
    "fanout": "fanout",
    "soak": "soak",
    "endurance": "endurance",
    "unregistered": "unregistered",
    "sound": "sound",
}

HOURS = {"endurance"}
"""Only if they are asked for."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, print ratios.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURED)}")
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples: a try-out")
    parser.add_argument("--dir", default="", help="where the million calls are kept")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - MEASURED.keys():
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    return chosen


async def _measured(name: str, chosen: argparse.Namespace) -> list[Figure]:
    module: Any = importlib.import_module(f".{MEASURED[name]}", __package__)
    options: dict[str, Any] = {}
    if chosen.quick:
        options["calls"] = max(20, module.CALLS // 10)
    if name in ("history", "finding") and chosen.dir:
        options["directory"] = chosen.dir
    figures: list[Figure] = await module.measure(**options)
    return figures


def main() -> None:
    """Measure what was asked for, all by default."""
    chosen = _arguments()
    found: list[Figure] = []
    for name in chosen.names or [one for one in MEASURED if one not in HOURS]:
        load, cores = os.getloadavg()[0], os.cpu_count()
        print(f"==> {name} (load {load:.1f} on {cores} cores)", file=sys.stderr, flush=True)
        figures = uvloop.run(_measured(name, chosen))
        found += figures
        if not chosen.json:
            print(*(figure.line() for figure in figures), sep="\n", flush=True)
    if chosen.json:
        shown = [msgspec.structs.asdict(figure) | {"met": figure.met} for figure in found]
        print(msgspec.json.format(msgspec.json.encode(shown)).decode())


if __name__ == "__main__":
    main()

"""``python -m bench.histories [--calls N] [--only PART …] [--json]``: ten million calls on both databases.

Each part's figures are written to ``results.json`` beside the calls as soon as they are there, so that a
run that was cut short goes on with ``--resume``. The exit status says nothing of speed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from ..figures import Figure
from . import checked, ingest, pages, requests, totals
from .cluster import KeptCluster
from .kept import POSTGRESQL, SQLITE, Kept, home
from .postgresql_copy import copied
from .sqlite_file import filled, say

CALLS = 10_000_000
Measure = Callable[..., Coroutine[Any, Any, list[Figure]]]
PARTS: dict[str, Measure] = {
    "pages": pages.measure,
    "totals": totals.measure,
    "ingest": ingest.measure,
    "http": requests.measure,
}
QUICK: dict[str, dict[str, Any]] = {
    "pages": {"rounds": 40, "rate": 200},
    "totals": {"windows": 100, "rate": 200},
    "ingest": {"calls": 200, "rounds": 2},
    "http": {"rounds": 2, "seconds": 2.0, "different": 200},
}
_RESUMED = 12 * 3600
"""Seconds: older results are measured again."""


class Part(msgspec.Struct, frozen=True):
    """What one part gave on one database; ``load`` is that of the machine when it began."""

    figures: list[Figure]
    calls: int
    at: float
    load: float


Results = dict[str, Part]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.histories", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="how many calls, ten million")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--database", nargs="+", choices=(SQLITE, POSTGRESQL), default=None)
    parser.add_argument("--dir", default="", help="where the calls are kept")
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples: a try-out")
    parser.add_argument("--check", action="store_true", help="count all that was made anew first")
    parser.add_argument(
        "--resume", action="store_true", help="keep what a run of today has measured"
    )
    return parser.parse_args()


@contextlib.contextmanager
def _kept(chosen: argparse.Namespace) -> Iterator[list[Kept]]:
    """The databases that were chosen, made if need be; PostgreSQL runs inside."""
    root = home(chosen.dir)
    root.mkdir(parents=True, exist_ok=True)
    names = chosen.database or [SQLITE, POSTGRESQL]
    is_new = not (root / f"{chosen.calls}-calls" / "accounts.json").exists()
    file = filled(root, chosen.calls)
    file.staffed()
    found = [file] if SQLITE in names else []
    if is_new or chosen.check:
        _check(file)
    if POSTGRESQL not in names:
        yield found
        return
    cluster, mark = KeptCluster(root / "postgresql"), file.data / "postgresql"
    is_new = not mark.exists()
    name = copied(cluster, Path(file.where), mark)
    with cluster.running():
        server = Kept(POSTGRESQL, cluster.url(name), file.folder, file.calls, file.accounts)
        if is_new or chosen.check:
            _check(server)
        yield [*found, server]


def _check(kept: Kept) -> None:
    say(f"counting all of it anew on {kept.name}")
    wrong = checked.check(kept)
    if wrong:
        raise SystemExit("\n".join(wrong))


def _measure(
    chosen: argparse.Namespace, kept: Sequence[Kept], results: Results, file: Path
) -> None:
    for name in chosen.only:
        for each in kept:
            key, now = f"{each.name}: {name}", time.time()
            if chosen.resume and key in results and now - results[key].at < _RESUMED:
                continue
            load = os.getloadavg()[0]
            say(f"{key} (load {load:.1f} on {os.cpu_count()} cores)")
            options = QUICK[name] if chosen.quick else {}
            figures = uvloop.run(PARTS[name](each, **options))
            results[key] = Part(figures, each.calls, now, load)
            file.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
            say(f"{key}: {time.time() - now:.0f} s")
            if not chosen.json:
                _show(key, results[key])


def _show(title: str, part: Part) -> None:
    table = Table("", "baseline", "ours", "ratio", "aim", "", title=title, title_justify="left")
    for figure in part.figures:
        table.add_row(*figure.cells())
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def main() -> None:
    """Make what is not there, measure what was chosen, and show it."""
    chosen = _arguments()
    with _kept(chosen) as kept:
        file = kept[0].data / "results.json"
        results: Results = {}
        with contextlib.suppress(OSError, msgspec.DecodeError):
            results = msgspec.json.decode(file.read_bytes(), type=Results)
        _measure(chosen, kept, results, file)
    wanted = {f"{each.name}: {name}" for name in chosen.only for each in kept}
    if chosen.json:
        shown = [
            msgspec.structs.asdict(figure) | {"met": figure.met}
            for key, part in results.items()
            if key in wanted
            for figure in part.figures
        ]
        print(msgspec.json.format(msgspec.json.encode(shown)).decode())
    print(f"==> the figures are in {file}", file=sys.stderr)


if __name__ == "__main__":
    main()

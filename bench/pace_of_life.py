"""CPU a call from the event log's rows to stored and published events, at 10 calls/s and all at once.

Recorded calls' rows are appended to a log when they are due, each with the time of that moment, by a process of
its own; the product's follower reads, ``CallLog`` folds and commits, the bus hands on. No phone, no engine,
no HTTP. CPU is this process's, and beside it that of PostgreSQL's processes. Commits are counted, and how much
later an event is handed on than its row was written. A backlog is the same calls in one file.

``python -m bench.pace_of_life FILE RATE SECONDS ACCOUNT FIRST`` is the process that appends.
"""

from __future__ import annotations

import asyncio
import re
import resource
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.cluster import Cluster

from trunkline.bus.local import LocalBus
from trunkline.engine.listen.log_follower import LogFollower
from trunkline.events.message_ids import MessageIds
from trunkline.events.of_call import Node
from trunkline.events.stored import StoredEvent
from trunkline.store.directory import ManagedDirectory
from trunkline.store.place import Node as Where
from trunkline.store.place import open_database
from trunkline.store.ports.database import Batch, Database
from trunkline.store.secrets import open_key
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.manage import manage_directory as manage

from .figures import Figure, quantile
from .histories.kept import REALM, device
from .histories.recorded import Calls

CALLS = 200
RATE = 10
_TIME = re.compile(rb'(?<=",")[0-9]{10}\.[0-9]{6}(?=",")')


class Done(NamedTuple):
    """CPU ms a call of Python and of the database's own processes, commits a call, how late events were, ms."""

    python: float
    server: float
    commits: float
    late: Sequence[float]


class Office(NamedTuple):
    """A new database with one account, and PostgreSQL's server where it is one."""

    db: Database
    account_id: str
    cluster: Cluster | None


async def measure(calls: int = CALLS) -> list[Figure]:
    """On both databases, at a pace and from a backlog."""
    figures: list[Figure] = []
    for name in ("SQLite", "PostgreSQL"):
        async with _office(name == "PostgreSQL") as office:
            await _taken_in(office, 20, None)  # statements are prepared, months made
            paced = await _taken_in(office, calls, RATE)
            backlog = await _taken_in(office, calls, None)
        figures += _figures(name, paced, backlog, calls)
    return figures


def _figures(name: str, paced: Done, backlog: Done, calls: int) -> list[Figure]:
    def cpu(what: str, at_once: float, one_by_one: float, note: str = "") -> Figure:
        ratio = one_by_one / at_once if at_once else None
        return Figure(
            name=f"{name}: CPU a call, {RATE} calls/s / backlog: {what}",
            baseline=at_once,
            candidate=one_by_one,
            ratio=ratio,
            note=note,
        )

    note = f"{calls} calls; {paced.commits:.1f} commits a call"
    return [
        cpu("Python", backlog.python, paced.python, note),
        *([cpu("its own processes", backlog.server, paced.server)] if paced.server else []),
        Figure(
            name=f"{name}: an event after its row, {RATE} calls/s, p50 and p99",
            baseline=quantile(paced.late, 0.5),
            candidate=quantile(paced.late, 0.99),
            aim=10,
            aim_is="candidate",
        ),
    ]


@asynccontextmanager
async def _office(on_server: bool) -> AsyncIterator[Office]:
    folder = Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
    cluster = Cluster() if on_server else None
    where: Where = cluster.url(cluster.create()) if cluster else folder / "trunkline.db"
    key = open_key(folder / "secret.key")
    db = open_database(where, key)
    try:
        with ManagedDirectory(where, key).transaction() as directory:
            account = manage.create_account(directory, "bench", timezone="UTC")
            user = manage.create_user(directory, account, "agent", extension="101")
            manage.create_device(directory, account, user, device(1), realm=REALM)
        yield Office(db, account.account_id, cluster)
    finally:
        await db.close()
        if cluster:
            cluster.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Counting:
    """``db.port.Calls`` that counts commits."""

    def __init__(self, calls: object) -> None:
        self._calls, self.commits = calls, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._calls, name)

    async def commit(self, batch: Batch) -> list[StoredEvent]:
        self.commits += 1
        done: list[StoredEvent] = await self._calls.commit(batch)  # type: ignore[attr-defined]
        return done


class _Counted:
    """The database, its commits counted."""

    def __init__(self, db: Database) -> None:
        self._db, self.calls = db, _Counting(db.calls)

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


async def _taken_in(office: Office, calls: int, rate: int | None) -> Done:
    db, bus, ids = _Counted(office.db), LocalBus(), MessageIds(_clock)
    log = CallLog(db, bus, Node(REALM, secrets.token_hex(4)), _clock, ids)  # type: ignore[arg-type]
    late: list[float] = []
    ended = asyncio.Event()
    left = calls

    def heard(events: Sequence[StoredEvent]) -> None:
        nonlocal left
        now = _clock()
        late.extend((now - event.at) / 1000 for event in events)
        left -= sum(event.name == "CALL_ENDED" for event in events)
        if left <= 0:
            ended.set()

    bus.listen(heard)
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        file = Path(folder) / "event.csv"
        first = secrets.randbits(40) << 16
        if rate is None:
            made = Calls([office.account_id], first, _clock() - 60_000_000, 1000)
            file.write_bytes(made.logs(range(calls)))
        following = asyncio.create_task(log.follow(LogFollower(file, None).follow()))
        before = _spent(office)
        if rate is not None:
            await _appended(file, rate, calls, office.account_id, first)
        async with asyncio.timeout(60):
            await ended.wait()
        await asyncio.sleep(0.2)  # the last rows of a call say nothing new
        spent = [(now - then) / calls for now, then in zip(_spent(office), before, strict=True)]
        following.cancel()
    return Done(*spent, db.calls.commits / calls, late)


async def _appended(file: Path, rate: int, calls: int, account_id: str, first: int) -> None:
    arguments = (str(file), str(rate), str(calls), account_id, str(first))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.pace_of_life", *arguments
    )
    assert await process.wait() == 0


def _spent(office: Office) -> tuple[float, float]:
    """CPU ms so far of this process and of the database's own, ended ones included."""
    server = office.cluster.cpu_seconds() * 1000 if office.cluster else 0.0
    own = resource.getrusage(resource.RUSAGE_SELF)
    return (own.ru_utime + own.ru_stime) * 1000, server


def _append(file: Path, rate: int, calls: int, account_id: str, first: int) -> None:
    """Each row when it is due, as Asterisk does it: one open, write and close."""
    made = Calls([account_id], first, 1_700_000_000_000_000, 1_000_000 // rate)
    rows = []
    for line in made.logs(range(calls)).splitlines(keepends=True):
        found = _TIME.search(line)
        assert found
        rows.append((float(found[0]) - 1_700_000_000, line))
    began = time.time()
    for due, line in sorted(rows, key=lambda row: row[0]):
        time.sleep(max(0.0, began + due - time.time()))
        now = b"%d.%06d" % divmod(_clock(), 1_000_000)
        with file.open("ab", buffering=0) as log:
            log.write(_TIME.sub(now, line, count=1))


def _clock() -> int:
    return time.time_ns() // 1000


if __name__ == "__main__":
    _append(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))

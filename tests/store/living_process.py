"""Lives like a server on a SQLite database until SIGTERM: it holds the data directory and writes.

It prints the number of each call whose commit was acknowledged.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
from pathlib import Path

from store.making import AT, announcement, record, started
from trunkline.calls.cel import LogPosition
from trunkline.calls.facts import Party
from trunkline.delivery.verdict import Verdict
from trunkline.delivery.webhook import Attempt, Outgoing
from trunkline.directory.entries import AccountEntry, DeviceEntry, UserEntry
from trunkline.server.listening import data_lock
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.ports.database import Batch
from trunkline.store.ports.history import Marks
from trunkline.store.ports.webhooks import WebhookToAdd
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import SqliteDatabase, open_database
from trunkline.work.manage import entries
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.users import create_user

HOUR = 3_600_000_000


class Life:
    """Everything that changes in a database, in random order, forever."""

    def __init__(self, data: Path, account_id: str, first: int, pause: float) -> None:
        self._path, self._account_id, self._pause = data / "trunkline.db", account_id, pause
        self._key = open_key(data / "secret.key")
        self._chance = random.Random(first)
        self._numbers = itertools.count(first)
        self.over = False

    async def live(self) -> None:
        """Until it is over; all that was begun is finished."""
        database = open_database(self._path, self._key)
        new = WebhookToAdd(
            id=f"w{next(self._numbers)}", account_id=self._account_id, url="https://example.com/",
            description="", events=(), secret="whsec_" + "A" * 43 + "=", after=0, now=AT,
        )  # fmt: skip
        await database.webhooks.add(new, 1000)
        await asyncio.gather(
            *(self._calls(database) for _ in range(4)),
            self._rest(database),
            self._deliver(database, new.id),
            self._manage(),
        )
        await database.close()

    async def _calls(self, database: SqliteDatabase) -> None:
        while not self.over:
            n = next(self._numbers)
            await self.call(database, n)
            os.write(1, b"%d\n" % n)
            await asyncio.sleep(self._pause)

    async def call(self, database: SqliteDatabase, n: int) -> None:
        """A call from its first fact to its record."""
        id_, at = f"c{n}", AT + n % 5000 * HOUR
        await database.calls.commit(
            Batch(
                facts=[started(id_, self._account_id, at)],
                opened=[(id_, self._account_id, at)],
                node_id="node",
            )
        )
        finished = record(
            id_, self._account_id, at,
            recording=f"call_recording_{id_}.mp3", callee=Party(f"+84 {n % 97}", name="Ân\0 Đức"),
            client_ref="a\0b" if n % 7 == 0 else None,
        )  # fmt: skip
        await database.calls.commit(
            Batch(
                facts=[started(id_, self._account_id, at + 1)],
                finished=[finished],
                closed=[id_],
                announcements=[announcement(self._account_id, n, at, call_id=id_)] * 3,
                node_id="node",
                position=LogPosition(1, n),
            )
        )

    async def _rest(self, database: SqliteDatabase) -> None:
        for n in itertools.count():
            if self.over:
                return
            await database.ping()
            await database.tokens.add(f"{n:064x}", "a" * 32, self._account_id, AT + n)
            await database.requests.claim("app", f"k{n % 50}", "f", f"c{n}", AT + n, AT + n + 5)
            known = self._chance.randrange(200)
            marks = Marks(
                note=f"note\0{n}", add_tags=(f"t{n % 3}",), remove_tags=(f"t{(n + 1) % 3}",)
            )
            await database.history.mark(self._account_id, f"c{known}", marks, AT + n)
            await asyncio.sleep(self._pause)

    async def _deliver(self, database: SqliteDatabase, webhook_id: str) -> None:
        for n in itertools.count(1):
            if self.over:
                return
            out = Outgoing(
                seq=n, lane=f"l{n % 5}", name="CALL_ENDED", kind="event", call_id=f"l{n % 5}"
            )
            await database.deliveries.examined(webhook_id, n - 1, n, [out], AT)
            for delivery in await database.deliveries.due(webhook_id, AT + n, 3):
                attempt = Attempt(at=AT, total_ms=1.5 + n / 3, status=200, answer=b"\0\xffok")
                await database.deliveries.concluded(
                    delivery.id, attempt, lambda *_: Verdict(state="delivered", step=1), _never
                )
            await asyncio.sleep(self._pause)

    async def _manage(self) -> None:
        while not self.over:
            await asyncio.to_thread(self._change_directory)
            await asyncio.sleep(self._pause * 3)

    def _change_directory(self) -> None:
        """What is unique changes hands, and what hangs on what is deleted goes with it."""
        with ManagedDirectory(self._path, self._key).transaction() as directory:
            first, second = directory.all(AccountEntry)[:2]
            directory.rename_account(first.account_id, "between")
            directory.rename_account(second.account_id, first.name)
            directory.rename_account(first.account_id, second.name)
            own = next(a for a in (first, second) if a.account_id != self._account_id)
            for user in directory.all(UserEntry, own.account_id):
                entries.delete(directory, UserEntry, user)
            user = create_user(directory, own, "moving", extension="900")
            create_device(
                directory, own, user, "moving", realm="r", password="pw", allow_weak_password=True
            )
            assert directory.all(DeviceEntry, own.account_id)


def _never(*_: object) -> None:
    raise AssertionError


async def main(data: Path, account_id: str, first: int, pause: float) -> None:
    life = Life(data, account_id, first, pause)

    def end() -> None:
        life.over = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    with data_lock(data):
        await life.live()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))

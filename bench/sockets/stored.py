"""The server of the soak: ``python -m bench.sockets.stored FOLDER ACCOUNTS``.

The product's door over the product's database. Events are stored and published as the product does
it; accounts, apps and tokens are real ones.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from pathlib import Path

import uvloop

from trunkline.bus.local import LocalBus
from trunkline.events.stored import Announcement
from trunkline.live import build_live
from trunkline.server.listening import web_server
from trunkline.server.settings import Settings
from trunkline.store.directory import ManagedDirectory
from trunkline.store.secrets import InstallationKey
from trunkline.store.sqlite import SqliteDatabase, open_database
from trunkline.work.manage import manage_directory as manage

from . import cast
from .control import Control, nothing, say, serve

_KEY = InstallationKey(b"k" * 32)
FOR_EVER = 2**60
BUFFER = 65_536
"""Bytes that may wait for a slow client: small, as is what the kernel holds, so that some minutes of
events do what days would."""


class Stored:
    """The application, its database, its accounts."""

    def __init__(self, database: SqliteDatabase, apps: list[tuple[str, str]]) -> None:
        self._database, self._bus, self._apps = database, LocalBus(), apps
        deps = cast.live_deps(database.events, database.tokens, self._bus, buffered_bytes=BUFFER)
        self._live = build_live(deps, nothing)
        self.server = web_server(Settings(), self._live)
        *self.accounts, self._nobody = [account_id for account_id, _ in apps]

    async def tokens(self) -> list[str]:
        """A new token for each account that has clients."""
        apps = self._apps[: len(self.accounts)]
        made = [secrets.token_hex(16) for _ in apps]
        adding = (
            self._database.tokens.add(cast.digest(token), app_id, account_id, FOR_EVER)
            for token, (account_id, app_id) in zip(made, apps, strict=True)
        )
        await asyncio.gather(*adding)
        return made

    async def warm(self) -> None:
        """Fill SQLite's page cache (16 MB) with events of an account that has no clients."""
        for _ in range(40):
            await self.burst([self._nobody], 500)
        seq = 0
        while events := (await self._database.events.after(self._nobody, seq, 500)):
            seq = events[-1].seq

    async def publish(self) -> None:
        """One event of the first account."""
        await self.burst(self.accounts[:1], 1)

    async def burst(self, accounts: list[str], each: int) -> None:
        """So many events of each of these accounts: stored, then published."""
        body = cast.payload()
        said = [
            Announcement(account, "call", body["Event-Name"], body["Call-ID"], cast.clock(), body)
            for account in accounts
            for _ in range(each)
        ]
        self._bus.publish(await self._database.events.append(said))

    async def heads(self) -> list[int]:
        """The newest number of each account."""
        return [(await self._database.events.bounds(account))[1] for account in self.accounts]

    def connections(self) -> int:
        return sum(self._live.connections().values())


class SoakControl(Control):
    """More commands.

    tokens                          -> tokens <account>:<token> ...
    burst ACCOUNTS EACH MICROS N    N times, every so often, that many events of each of the next
                                    accounts                       -> bursting, at once
    heads                           -> heads <newest number> ...
    """

    side: Stored
    _bursting: asyncio.Task[None] | None = None

    async def tokens(self) -> None:
        pairs = zip(self.side.accounts, await self.side.tokens(), strict=True)
        say("tokens " + " ".join(f"{account}:{token}" for account, token in pairs))

    async def burst(self, accounts: int, each: int, micros: int, times: int) -> None:
        self._bursting = asyncio.create_task(self._burst(accounts, each, micros, times))
        say("bursting")

    async def heads(self) -> None:
        say("heads " + " ".join(str(head) for head in await self.side.heads()))

    async def _burst(self, accounts: int, each: int, micros: int, times: int) -> None:
        due = time.monotonic()
        everybody = self.side.accounts
        for turn in range(times):
            first = turn * accounts % len(everybody)
            await self.side.burst((everybody * 2)[first : first + accounts], each)
            due += micros / 1e6
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def _apps(file: Path, accounts: int) -> list[tuple[str, str]]:
    """(account id, app id) of new accounts."""
    made = []
    with ManagedDirectory(file, _KEY).transaction() as directory:
        for number in range(accounts):
            account = manage.create_account(directory, f"account-{number}")
            app, _ = manage.create_app(directory, account)
            made.append((account.account_id, app.app_id))
    return made


async def _main(folder: Path, accounts: int) -> None:
    database = open_database(folder / "trunkline.db", _KEY)
    try:
        side = Stored(database, _apps(folder / "trunkline.db", accounts + 1))
        await side.warm()
        await serve(SoakControl(side), kernel=BUFFER // 4)
    finally:
        await database.close()


if __name__ == "__main__":
    uvloop.run(_main(Path(sys.argv[1]), int(sys.argv[2])))

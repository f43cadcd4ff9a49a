"""Opening the database: for commands that only look, and for those that do without the server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed

if TYPE_CHECKING:
    from trunkline.server.settings import Settings
    from trunkline.store.place import Place
    from trunkline.store.ports.archive import Account, Archive
    from trunkline.store.ports.database import Database


def existing_place(settings: Settings) -> Place:
    """Where the database is; raises CommandFailed where there is none."""
    from trunkline.store.place import exists, shown

    place = settings.place
    if exists(place):
        return place
    if isinstance(place, Path):
        raise CommandFailed(
            f"there is no database in {place.parent}: name the right directory with --data, "
            "or make one with trunkline account create"
        )
    raise CommandFailed(
        f"there is nothing of Trunkline in {shown(place)}: name the right database by the setting "
        "database, or begin with trunkline account create"
    )


@contextmanager
def archive(ctx: typer.Context) -> Iterator[Archive]:
    """The database, open for reading; raises CommandFailed where there is none."""
    from trunkline.store.place import open_archive

    with closing(open_archive(existing_place(settings_of(ctx)))) as opened:
        yield opened


@asynccontextmanager
async def open_database_of(settings: Settings) -> AsyncIterator[Database]:
    """The database, open for verbs, also beside a server; raises CommandFailed where there is none."""
    from trunkline.store.place import open_database
    from trunkline.store.secrets import open_key

    key = open_key(settings.directory / "secret.key")
    database = open_database(existing_place(settings), key)
    try:
        yield database
    finally:
        await database.close()


def account_called(opened: Archive, name: str) -> Account:
    """The account with that name or id; raises CommandFailed."""
    for account in opened.accounts():
        if name in (account.name, account.id):
            return account
    raise CommandFailed(f"there is no account {name!r}: see trunkline account list")


def accounts_called(opened: Archive, name: str | None) -> list[Account]:
    """That account, or all of them; raises CommandFailed."""
    return opened.accounts() if name is None else [account_called(opened, name)]


def local(at: int, timezone: str, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Unix microseconds as a clock in that time zone shows them."""
    return datetime.fromtimestamp(at / 1_000_000, ZoneInfo(timezone)).strftime(form)

"""trunkline retention, trunkline call: deleting what has expired, and holding a call back from that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import existing_place
from trunkline.cli.output import show_all, show_one

if TYPE_CHECKING:
    from trunkline.server.settings import Settings
    from trunkline.store.ports.database import Database
    from trunkline.work.upkeep.delete_expired import Expired, Told

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(
    help="Retention: deleting what is older than it is kept.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
call = typer.Typer(help="One call: legal hold.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def retention() -> None:
    """Retention: deleting what is older than it is kept."""


@call.callback()
def one_call() -> None:
    """One call: legal hold."""


@app.command()
def run(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would go.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what is older than it is kept, by account and kind, and say how much that was.

    A server does so each hour by itself, and may run meanwhile. Stopped amid it, the next run goes on.
    `facts` are what finished calls were made from, `spent` keys and tokens that have run out, `files`
    those of recordings, `months` tables that are empty.
    """
    done = asyncio.run(_run(settings_of(ctx), dry_run))
    rows = [{"account": each.account, "kind": each.kind, "rows": each.rows} for each in done]
    show_all(rows, as_json)


@call.command("hold")
def hold_call(
    ctx: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID", help="A finished call.")],
    release: Annotated[bool, typer.Option("--release", help="End the hold.")] = False,
    as_json: Json = False,
) -> None:
    """Put a call on legal hold: its record, recording, facts and events are kept, however old."""
    row = asyncio.run(_hold(settings_of(ctx), call_id, not release))
    if not row:
        raise CommandFailed(
            f"there is no finished call {call_id!r}: see trunkline history; a live one can be held "
            "once it is over"
        )
    show_one(row, as_json)


async def _run(settings: Settings, dry_run: bool) -> list[Expired]:
    from trunkline.recordings.disk import DiskStore
    from trunkline.server.wiring.retention import delete_expired

    async with _database(settings) as database:
        store = DiskStore(settings.directory / "recordings")
        verb = delete_expired(settings, database.retention, store)
        if dry_run:
            return await verb.due()
        with _progress() as told:
            return await verb(told)


async def _hold(settings: Settings, call_id: str, hold: bool) -> dict[str, Any]:
    import time

    from trunkline.store.ports.history import Marks

    async with _database(settings) as database:
        account_id = await database.retention.account_of(call_id)
        now, marks = time.time_ns() // 1000, Marks(hold=hold)
        row = account_id and await database.history.mark(account_id, call_id, marks, now)
    return {"callId": row.call_id, "accountId": row.account_id, "hold": row.hold} if row else {}


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    """The installation's database, open beside a server; raises CommandFailed where there is none."""
    from trunkline.store.place import open_database
    from trunkline.store.secrets import open_key

    key = open_key(settings.directory / "secret.key")
    database = open_database(existing_place(settings), key)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def _progress() -> Iterator[Told]:
    """A line on a terminal that says how far it is, and nothing elsewhere."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.status import Status

    with Status("looking", console=Console(stderr=True)) as status:
        yield lambda at: status.update(f"{at.account}: {at.rows} {at.kind} deleted")

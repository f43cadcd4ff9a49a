"""trunkline retention: deleting what has expired."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.opening import open_database_of
from trunkline.cli.options import Json, group
from trunkline.cli.output import show_all

if TYPE_CHECKING:
    from trunkline.server.settings import Settings
    from trunkline.work.upkeep.delete_expired import Expired, Told

app = group("Retention: deleting what is older than it is kept.")


@app.callback()
def retention() -> None:
    """Retention: deleting what is older than it is kept."""


@app.command()
def run(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would go.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what is older than it is kept, by account and kind, and say how much that was.

    A server does so each hour by itself, and may run meanwhile. Stopped amid it, the next run goes on.
    `facts` are what finished calls were made from, `spent` keys and tokens that have run out, `files`
    those of recordings, `music` what was deleted and nobody hears any more, `months` tables that are empty.
    """
    done = asyncio.run(_run(settings_of(ctx), dry_run))
    rows = [{"account": each.account, "kind": each.kind, "rows": each.rows} for each in done]
    show_all(rows, as_json)


async def _run(settings: Settings, dry_run: bool) -> list[Expired]:
    from trunkline.server.wiring.recordings import recording_store
    from trunkline.server.wiring.retention import delete_expired, deleting_clock

    async with open_database_of(settings) as database:
        verb = delete_expired(
            settings, database.retention, recording_store(settings), deleting_clock(settings)
        )
        if dry_run:
            return await verb.due()
        with _progress() as told:
            return await verb(told)


@contextmanager
def _progress() -> Iterator[Told]:
    """Show on a terminal how far it is; nothing elsewhere."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.status import Status

    with Status("looking", console=Console(stderr=True)) as status:
        yield lambda at: status.update(f"{at.account}: {at.rows} {at.kind} deleted")

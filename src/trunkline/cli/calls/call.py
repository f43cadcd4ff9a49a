"""trunkline call: legal hold for one call."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import open_database_of
from trunkline.cli.options import Json, group
from trunkline.cli.output import show_one

if TYPE_CHECKING:
    from trunkline.server.settings import Settings

call = group("One call: legal hold.")


@call.callback()
def one_call() -> None:
    """One call: legal hold."""


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


async def _hold(settings: Settings, call_id: str, hold: bool) -> dict[str, Any]:
    from trunkline.store.ports.history import Marks

    async with open_database_of(settings) as database:
        account_id = await database.retention.account_of(call_id)
        now, marks = time.time_ns() // 1000, Marks(hold=hold)
        row = account_id and await database.history.mark(account_id, call_id, marks, now)
    return {"callId": row.call_id, "accountId": row.account_id, "hold": row.hold} if row else {}

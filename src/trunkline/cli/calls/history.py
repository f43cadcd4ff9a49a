"""trunkline history: finished calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.calls.dates import in_order, moment_of
from trunkline.cli.opening import account_called, archive, local
from trunkline.cli.options import Account
from trunkline.cli.output import show_all

if TYPE_CHECKING:
    from trunkline.history.row import HistoryRow

_DAY = 86_400_000_000


def history(
    ctx: typer.Context,
    account: Account,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DATE", help="The first day or moment; 31 days ago if not given."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="The last day, or a moment; now if not given."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Calls a page.")] = 20,
    page: Annotated[int, typer.Option(metavar="N", min=1, help="Which page.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: the records of the Open API.")
    ] = False,
) -> None:
    """List finished calls, newest first.

    DATE is ISO 8601; without an offset it is in the account's time zone. A bare date is a whole day.
    """
    with archive(ctx) as opened:
        owner = account_called(opened, account)
        found = opened.page(owner.id, *_window(from_, to, owner.timezone), limit, page)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(found.rows).decode())
    else:
        show_all([_row(row, owner.timezone) for row in found.rows], False)
    _say_where(found.total, len(found.rows), limit, page)


def _window(first: str | None, last: str | None, zone: str) -> tuple[int, int]:
    """The half-open range of two dates, unix microseconds; raises CommandFailed."""
    end = moment_of(last, zone, end=True) if last else time.time_ns() // 1000 + 1
    return in_order(moment_of(first, zone) if first else end - 31 * _DAY, end)


def _say_where(total: int, shown: int, limit: int, page: int) -> None:
    if total == 0:
        return
    first = (page - 1) * limit + 1
    said = (
        f"{first} to {first + shown - 1} of {total}" if shown else f"none of {total} on this page"
    )
    more = f"; --page {page + 1} has more" if first + shown <= total and shown else ""
    typer.echo(said + more, err=True)


def _row(row: HistoryRow, timezone: str) -> dict[str, Any]:
    return {
        "started": local(row.unix_timestamp * 1_000_000, timezone),
        "caller": row.caller.get("username") or row.caller["number"],
        "callee": row.callee.get("username") or row.callee["number"],
        "class": row.class_,
        "direction": row.direction,
        "status": row.status_detail,
        "seconds": row.duration_seconds,
        "talked": row.billing_seconds,
        "recorded": bool(row.recording),
        "callId": row.call_id,
    }

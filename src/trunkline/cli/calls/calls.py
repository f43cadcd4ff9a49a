"""trunkline calls, and trunkline history: what is going on, and what was."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.archive import account_called, accounts_called, archive, local
from trunkline.cli.calls.export import export
from trunkline.cli.calls.refold import refold
from trunkline.cli.failure import CommandFailed
from trunkline.cli.showing import show_all

if TYPE_CHECKING:
    from trunkline.calls.call import Call
    from trunkline.events.stored import StoredEvent
    from trunkline.history.row import HistoryRow
    from trunkline.store.ports.archive import Account

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AccountIf = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="One account only: its name or its id. All if not given."),
]

app = typer.Typer(
    help="Calls: those that live, their events, and one call in full.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


app.command()(export)
app.command()(refold)


@app.command("list")
def list_calls(ctx: typer.Context, account: AccountIf = None, as_json: Json = False) -> None:
    """List the calls that live now, oldest first.

    What is over is in `trunkline history`.
    """
    with archive(ctx) as opened:
        account_id = account_called(opened, account).id if account else None
        known = {each.id: each for each in opened.accounts()}
        rows = [
            _live(call, known[call.account_id])
            for call in opened.live(account_id)
            if call.account_id in known
        ]
    show_all(rows, as_json)


@app.command()
def tail(
    ctx: typer.Context,
    account: AccountIf = None,
    after: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="First print what followed event N; needs --account."
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End with the newest event instead of waiting.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print each event as one line of JSON, as sockets send it."),
    ] = False,
) -> None:
    """Print events as they come, until Ctrl-C.

    They are read from each account's numbered log, so none is missed or repeated, also while the
    server is started again. Event-Seq of the last one is the N to go on from.
    """
    from trunkline.cli.events.event_lines import printer
    from trunkline.cli.events.event_view import from_log
    from trunkline.cli.events.following import follow

    if after is not None and account is None:
        raise CommandFailed("--after needs --account: each account counts its own events")
    show = printer(False)
    with contextlib.suppress(KeyboardInterrupt), archive(ctx) as opened:
        accounts_called(opened, account)
        for event, timezone in follow(opened, account, after, once):
            if as_json:
                typer.echo(_as_sent(event))
            else:
                show(from_log(event), timezone)


def _as_sent(event: StoredEvent) -> bytes:
    """The payload; that of a GAP does not say its name by itself."""
    return (
        event.body.replace(b"{", b'{"Event-Name":"GAP",', 1) if event.name == "GAP" else event.body
    )


@app.command()
def show(
    ctx: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    as_json: Json = False,
) -> None:
    """Show one call: its record (or how far it is), its path, its legs, its events and its SIP messages.

    Path, legs, events and SIP messages are kept for `journal_days`, `event_days` and `sip_trace_days`.
    `--json` has the whole text of each SIP message.
    """
    import msgspec

    from trunkline.cli.calls.one_call import print_call, whole_call

    with archive(ctx) as opened:
        whole, trunks = whole_call(opened, call_id), opened.trunk_names()
    if as_json:
        typer.echo(msgspec.json.encode(whole).decode())
    else:
        print_call(whole, trunks)


@app.command()
def transfer(
    ctx: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    to: Annotated[str, typer.Option(metavar="NUMBER", help="A number or an extension.")],
    leg: Annotated[
        str | None,
        typer.Option(
            metavar="LEG",
            help="The leg that leaves, as trunkline calls show lists it; the phone's if only one talks.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Transfer a live call: a phone leaves it, and whom it talks with is led to NUMBER.

    That happens under the rights of the phone that leaves, and does not wait for anybody to answer.
    """
    from trunkline.cli.context import settings_of
    from trunkline.cli.running import ask_for_transfer
    from trunkline.cli.showing import show_one

    left, number = ask_for_transfer(settings_of(ctx).directory, call_id, to, leg)
    show_one({"callId": call_id, "leg": left, "to": number}, as_json)


def history(
    ctx: typer.Context,
    account: Annotated[str, typer.Option(metavar="NAME", help="The account: its name or its id.")],
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


_DAY = 86_400_000_000


def _window(first: str | None, last: str | None, zone: str) -> tuple[int, int]:
    """The half-open range of two dates, unix microseconds; raises CommandFailed."""
    from trunkline.history.dates import DateInvalid, moment

    now = time.time_ns() // 1000
    try:
        end = moment(last, zone, end=True).at if last else now + 1
        start = moment(first, zone).at if first else end - 31 * _DAY
    except DateInvalid as error:
        raise CommandFailed(f"{error} Such as 2026-02-07 or 2026-02-07T09:30:00+07:00") from error
    if end < start:
        raise CommandFailed("--to is before --from: swap them")
    return start, end


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


def _live(call: Call, account: Account) -> dict[str, Any]:
    from trunkline.cli.calls.one_call import who
    from trunkline.events.state import call_status

    return {
        "callId": call.id,
        "account": account.name,
        "started": local(call.started_at, account.timezone),
        "caller": who(call.caller),
        "callee": who(call.callee) or call.dialled,
        "state": call_status(call),
        "legs": sum(leg.ended_at is None for leg in call.legs.values()),
    }

"""trunkline calls tail: events as they come, as sockets send them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import accounts_called, archive
from trunkline.cli.options import OneAccount

if TYPE_CHECKING:
    from trunkline.events.stored import StoredEvent


def tail(
    ctx: typer.Context,
    account: OneAccount = None,
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
    from trunkline.cli.event_log.event_lines import printer
    from trunkline.cli.event_log.event_view import from_log
    from trunkline.cli.event_log.local import follow

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
    """The payload; a GAP's gets its name, which the stored one has not."""
    return (
        event.body.replace(b"{", b'{"Event-Name":"GAP",', 1) if event.name == "GAP" else event.body
    )

"""trunkline events tail: the event log as it grows."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from trunkline.cli.event_log.opening import Bindings, JsonLines, Key, Server, event_log
from trunkline.cli.options import OneAccount


def tail(
    ctx: typer.Context,
    account: OneAccount = None,
    types: Bindings = "",
    after: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="First print what followed event N; needs --account or --server.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End with the newest event instead of waiting.")
    ] = False,
    server: Server = None,
    key: Key = None,
    as_json: JsonLines = False,
) -> None:
    """Print events as they come, until Ctrl-C.

    They are read from each account's numbered log, so none is missed or repeated, also while the
    server is started again or the connection to it breaks. The `seq` of the last one is the N to go
    on from.

    Examples: `trunkline events tail --types call.CALL_ENDED.* --json` and
    `trunkline events tail --server https://phone.example.com --after 41`
    """
    from trunkline.cli.event_log.event_lines import printer
    from trunkline.cli.event_log.event_view import bindings_in

    bindings = bindings_in(types)
    show = printer(as_json)
    with contextlib.suppress(KeyboardInterrupt), event_log(ctx, account, server, key) as log:
        for view, timezone in log.tail(after, once, bindings):
            show(view, timezone)

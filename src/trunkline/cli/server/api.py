"""``trunkline api``: one more process for the Open API and events, beside the main server."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.progress import say

_Text = str | None


def api(
    ctx: typer.Context,
    data: Annotated[
        _Text, typer.Option(metavar="DIR", help="The main server's data directory, or one like it.")
    ] = None,
    http: Annotated[
        _Text, typer.Option(metavar="HOST:PORT", help="Where the Open API and events listen.")
    ] = None,
    reuse_port: Annotated[
        bool,
        typer.Option("--reuse-port", help="Share HOST:PORT with others that say so, too (Linux)."),
    ] = False,
    main_url: Annotated[
        _Text,
        typer.Option(
            metavar="URL", help="Where the main server answers, if it is on another machine."
        ),
    ] = None,
    log_format: Annotated[
        _Text, typer.Option(metavar="auto|console|json", help="How to log.")
    ] = None,
) -> None:
    """Run one more process for the Open API and events until SIGTERM: it needs PostgreSQL.

    It has no phone engine: calls are placed by the main server, `trunkline up`. Any number of them
    work on one database, and every event comes once to each subscriber, wherever he is connected.
    """
    import uvloop

    from trunkline.server import logs
    from trunkline.server.api import serve_api

    flags = {"http": http, "main_url": main_url, "log_format": log_format}
    settings = settings_of(ctx, **flags, **({} if data is None else {"data": data}))
    logs.configure(settings)
    uvloop.run(serve_api(settings, reuse_port, _ready))


def _ready(url: str) -> None:
    say(f"Trunkline's API is ready: {url}")

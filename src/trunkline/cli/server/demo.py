"""``trunkline demo``: a whole call on a sandbox, from nothing to its recording."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed


def demo(
    ctx: typer.Context,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the server running until Ctrl-C.")
    ] = False,
    number: Annotated[
        str, typer.Option(metavar="N", help="What to dial; see trunkline sandbox numbers.")
    ] = "5550107",
) -> None:
    """Start a sandbox, place a recorded call through the Open API, and show all that comes of it.

    Prints the events as they come, the history record and the recording's URL. Everything is in a
    temporary directory that is removed at the end, unless --data names one.
    """
    import asyncio

    from trunkline.sandbox.demo import DemoFailed, run_demo

    settings = settings_of(ctx)
    try:
        asyncio.run(run_demo(settings, ctx.find_root().obj, number, keep, typer.echo))
    except DemoFailed as failed:
        raise CommandFailed(str(failed)) from failed
    except KeyboardInterrupt:
        raise typer.Exit(0) from None

"""``trunkline up``: the server, in the foreground."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.progress import say

_Text = str | None


def up(
    ctx: typer.Context,
    data: Annotated[_Text, typer.Option(metavar="DIR", help="The data directory.")] = None,
    http: Annotated[
        _Text, typer.Option(metavar="HOST:PORT", help="Where the Open API and events listen.")
    ] = None,
    sip: Annotated[
        _Text,
        typer.Option(metavar="HOST:PORT", help="Where phones and trunks reach us (UDP, TCP)."),
    ] = None,
    rtp: Annotated[_Text, typer.Option(metavar="FROM-TO", help="UDP ports for audio.")] = None,
    sandbox: Annotated[
        bool | None,
        typer.Option("--sandbox", help="Start virtual phones and a pretend carrier, too."),
    ] = None,
    drain_seconds: Annotated[
        int | None,
        typer.Option(metavar="N", help="After SIGTERM: how long live calls may go on."),
    ] = None,
    log_format: Annotated[
        _Text, typer.Option(metavar="auto|console|json", help="How to log.")
    ] = None,
) -> None:
    """Run the server until SIGTERM: the phone engine, the Open API and the event socket.

    The first SIGTERM lets live calls end, a second one ends at once. A server that was killed
    leaves its calls running; the next `trunkline up` takes them over.
    """
    import uvloop

    from trunkline.sandbox.engine import SandboxEngine
    from trunkline.server import logs
    from trunkline.server.main import serve

    flags: dict[str, Any] = {
        "http": http,
        "sip": sip,
        "rtp": rtp,
        "sandbox": sandbox,
        "drain_seconds": drain_seconds,
        "log_format": log_format,
    }
    if data is not None:
        flags["data"] = data
    settings = settings_of(ctx, **flags)
    logs.configure(settings)
    beside = SandboxEngine if settings.sandbox else None
    uvloop.run(serve(settings, _progress, _ready, beside))


def _progress(what: str, done: float | None) -> None:
    percent = "" if done is None else f" {done:.0%}"
    say(f"{what}{percent}")


def _ready(url: str) -> None:
    say(f"Trunkline is ready: {url}")

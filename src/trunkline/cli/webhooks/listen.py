"""trunkline webhooks listen: webhooks on a developer's own machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.event_log.opening import Bindings, EventLog, Key, Server, event_log
from trunkline.cli.failure import CommandFailed
from trunkline.cli.webhooks.opening import now

if TYPE_CHECKING:
    from trunkline.cli.webhooks.listen_forwarder import Forwarded, Forwarder
    from trunkline.events.bindings import Binding
    from trunkline.webhooks.port import Post


def listen(
    ctx: typer.Context,
    forward_to: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Where to post the events, such as http://localhost:3000/hooks."
        ),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The account: its name or its id. Not needed with --server, or where there is only one.",
        ),
    ] = None,
    types: Bindings = "",
    after: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Begin with what followed event N, not with now."),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            metavar="whsec_…",
            envvar="TRUNKLINE_WEBHOOK_SECRET",
            help="Sign with this secret instead of the account's own on this machine. Others can see what stands in a command line: better set TRUNKLINE_WEBHOOK_SECRET.",
        ),
    ] = None,
    print_secret: Annotated[
        bool, typer.Option("--print-secret", help="Print the secret, and do nothing else.")
    ] = False,
    skip_verify: Annotated[
        bool, typer.Option("--skip-verify", help="Do not check the TLS certificate of the URL.")
    ] = False,
    server: Server = None,
    key: Key = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what came of each event as one line of JSON.")
    ] = False,
) -> None:
    """Post an account's events to a URL of your own, until Ctrl-C: for developing what takes webhooks.

    They are posted just as the server posts webhooks: the same body, the same Standard Webhooks
    headers, in order for each call. The secret is shown at the start, and stays the same on this
    machine. A connection that is refused is tried again a few times; whatever the URL answers is
    printed, and the next event follows. The server's own webhooks are not touched.

    Examples: `trunkline webhooks listen --forward-to http://localhost:3000/hooks` and, in another
    window, `trunkline events trigger call --account acme`
    """
    from trunkline.cli.event_log.event_view import bindings_in

    bindings = bindings_in(types)
    if not (print_secret or forward_to):
        raise CommandFailed("say where to post with --forward-to URL")
    with (
        contextlib.suppress(KeyboardInterrupt),
        event_log(ctx, account, server, key, of_one=True) as log,
    ):
        signing = _secret(secret, log.account_id)
        if print_secret or forward_to is None:
            typer.echo(signing)
            return
        post = _post(forward_to, skip_verify)
        typer.echo(f"events are posted to {forward_to}, signed with {signing}", err=True)
        _forward(log, after, bindings, post, forward_to, signing, _printer(as_json))


def _secret(given: str | None, account_id: str) -> str:
    from trunkline.cli.webhooks.listen_secret import checked, kept_secret
    from trunkline.server.settings import default_config

    return checked(given) if given else kept_secret(default_config(), account_id)


def _post(url: str, skip_verify: bool) -> Post:
    from trunkline.server.wiring.webhooks import post_anywhere
    from trunkline.webhooks.port import UrlRefused

    try:
        return post_anywhere(url, now, verify=not skip_verify)
    except UrlRefused as error:
        raise CommandFailed(f"--forward-to: {error}") from error


def _forward(
    log: EventLog,
    after: int | None,
    bindings: tuple[Binding, ...],
    post: Post,
    url: str,
    secret: str,
    told: Callable[[Forwarded], None],
) -> None:
    """Events are read in this thread, which Ctrl-C interrupts, and posted in another."""
    from anyio.from_thread import start_blocking_portal

    from trunkline.cli.retries import telling_of_retries
    from trunkline.cli.webhooks.listen_forwarder import Forwarder

    async def forwarder() -> Forwarder:
        return Forwarder(post, url, secret, now, told)

    with telling_of_retries(), start_blocking_portal() as portal:
        made = portal.call(forwarder)
        try:
            with portal.wrap_async_context_manager(made) as forwarding:
                for view, timezone in log.tail(after, False, bindings):
                    portal.call(forwarding.take, view, timezone)
        finally:
            if made.reached:
                typer.echo(f"to go on from here: --after {made.reached}", err=True)


def _printer(as_json: bool) -> Callable[[Forwarded], None]:
    if as_json:
        import msgspec

        return lambda forwarded: typer.echo(msgspec.json.encode(_shown(forwarded)))
    return _in_colours()


def _shown(forwarded: Forwarded) -> dict[str, Any]:
    view, attempt = forwarded.view, forwarded.attempt
    return {
        "seq": view.seq,
        "type": view.type,
        "callId": view.call_id,
        "status": attempt.status,
        "milliseconds": attempt.total_ms,
        "attempts": forwarded.attempts,
        "error": attempt.error,
    }


def _in_colours() -> Callable[[Forwarded], None]:
    from rich.console import Console
    from rich.text import Text

    from trunkline.cli.event_log.event_lines import STYLES, clock

    console = Console(highlight=False)

    def show(forwarded: Forwarded) -> None:
        view, attempt = forwarded.view, forwarded.attempt
        answer = str(attempt.status) if attempt.status else attempt.error
        line = Text.assemble(
            f"{clock(view.time, forwarded.timezone)}  ",
            (f"{view.type:<17}", STYLES.get(view.type, "")),
            (f"  {view.call_id or view.subject:<32}", "dim"),
            "  -> ",
            (answer, "green" if attempt.success else "bold red"),
            f"  {attempt.total_ms:.0f} ms",
        )
        console.print(line, soft_wrap=True)

    return show

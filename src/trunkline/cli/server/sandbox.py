"""``trunkline sandbox``: what the sandbox offers, and the credentials to use it with."""

from __future__ import annotations

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Json, group
from trunkline.cli.output import show_all, show_one

app = group("The sandbox: virtual phones and a pretend carrier (trunkline up --sandbox).")


@app.command("numbers")
def numbers(as_json: Json = False) -> None:
    """List the magic numbers: what the pretend carrier does when one is called."""
    import msgspec

    from trunkline.sandbox.magic_numbers import MAGIC_NUMBERS

    show_all([msgspec.to_builtins(number) for number in MAGIC_NUMBERS], as_json)


@app.command("show")
def show(ctx: typer.Context, as_json: Json = False) -> None:
    """Show the sandbox's account, app and phones, with their secrets."""
    import msgspec

    from trunkline.sandbox.engine import read_sandbox

    found = read_sandbox(settings_of(ctx).directory)
    if found is None:
        raise CommandFailed("there is no sandbox here yet: start one with trunkline up --sandbox")
    show_one(msgspec.to_builtins(found), as_json)

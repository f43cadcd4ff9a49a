"""The command line: a folder for each group of commands, a file for each subject.

A module is imported when its command is asked for. ``--help`` and shell completion stay fast because
it imports what it works with inside its functions.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from trunkline.cli.failure import failures

# name -> (module, its Typer or its function)
COMMANDS = {
    "up": ("trunkline.cli.server.up", "up"),
    "api": ("trunkline.cli.server.api", "api"),
    "demo": ("trunkline.cli.server.demo", "demo"),
    "account": ("trunkline.cli.directory.accounts", "account"),
    "app": ("trunkline.cli.directory.apps", "app"),
    "user": ("trunkline.cli.directory.users", "user"),
    "device": ("trunkline.cli.directory.devices", "device"),
    "trunk": ("trunkline.cli.directory.trunks", "trunk"),
    "number": ("trunkline.cli.directory.numbers", "number"),
    "extension": ("trunkline.cli.directory.extensions", "extension"),
    "announcement": ("trunkline.cli.directory.announcements", "announcement"),
    "music": ("trunkline.cli.directory.music", "music"),
    "route": ("trunkline.cli.directory.outbound_routes", "route"),
    "key": ("trunkline.cli.directory.keys", "key"),
    "call": ("trunkline.cli.calls.call", "call"),
    "calls": ("trunkline.cli.calls.calls", "app"),
    "events": ("trunkline.cli.events.events", "app"),
    "webhooks": ("trunkline.cli.webhooks.webhooks", "app"),
    "history": ("trunkline.cli.calls.history", "history"),
    "stats": ("trunkline.cli.calls.stats", "stats"),
    "recording": ("trunkline.cli.calls.recordings", "app"),
    "import": ("trunkline.cli.calls.import_calls", "import_calls"),
    "backup": ("trunkline.cli.database.backup", "backup"),
    "restore": ("trunkline.cli.database.restore", "restore"),
    "retention": ("trunkline.cli.database.retention", "app"),
    "db": ("trunkline.cli.database.db", "app"),
    "engine": ("trunkline.cli.server.engine", "app"),
    "sandbox": ("trunkline.cli.server.sandbox", "app"),
    "doctor": ("trunkline.cli.server.doctor", "doctor"),
    "version": ("trunkline.cli.server.version", "version"),
}


class Commands(TyperGroup):
    """Finds a command where it is written, and says in one line what went wrong in it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The commands whose modules are installed."""
        return [name for name, (module, _) in COMMANDS.items() if find_spec(module)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command, imported now; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        return _command(cmd_name, getattr(import_module(module), attribute))

    def invoke(self, ctx: Any) -> Any:
        """Run it; a foreseen failure ends with exit status 1 and one line on stderr."""
        with failures():
            return super().invoke(ctx)


def _command(name: str, made_of: Any) -> Any:
    """A click command of a Typer or of a function; completion is installed for all of them at once."""
    outer = typer.Typer(add_completion=False, rich_markup_mode=None)
    if not isinstance(made_of, typer.Typer):
        outer.command(name)(made_of)
        return typer.main.get_command(outer)
    outer.add_typer(made_of, name=name)
    return typer.main.get_group(outer).commands[name]


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def trunkline(
    ctx: typer.Context,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            envvar="TRUNKLINE_DATA",
            help="The data directory; ~/.local/share/trunkline if not given.",
        ),
    ] = None,
) -> None:
    """A phone system that a company runs itself, driven by an Open API."""
    ctx.obj = data


def main() -> None:
    os.umask(0o077)  # whatever a command makes holds secrets, or who called whom
    app(prog_name="trunkline")

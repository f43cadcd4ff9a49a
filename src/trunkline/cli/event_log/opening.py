"""The event log that a command's options name: of the data directory, or of a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import account_called, archive

if TYPE_CHECKING:
    from trunkline.cli.event_log.event_view import EventView
    from trunkline.cli.event_log.remote import RemoteLog
    from trunkline.events.bindings import Binding
    from trunkline.store.ports.archive import Account, Archive

Bindings = Annotated[
    str,
    typer.Option(
        "--types",
        metavar="BINDINGS",
        help="Only events that match one of these bindings, comma-separated, such as call.CALL_ENDED.*,device.#",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="TRUNKLINE_SERVER",
        help="Read from this server by its /v1, such as https://phone.example.com, instead of the data directory. Also TRUNKLINE_SERVER.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        envvar="TRUNKLINE_KEY",
        help="With --server: a key with the scope events:read. Others on this machine can see what stands in a command line: set TRUNKLINE_KEY, or give - to have it read from standard input.",
    ),
]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print each event as one line of JSON: its /v1 envelope.")
]


class EventLog(Protocol):
    """The numbered log of one account, or the logs of several."""

    @property
    def account_id(self) -> str:
        """Whose log it is; raises CommandFailed for the logs of several."""

    def tail(
        self, after: int | None, once: bool, bindings: tuple[Binding, ...]
    ) -> Iterator[tuple[EventView, str | None]]:
        """Events from a number (or now) on with their time zones, for ever or up to the newest."""

    def stretch(
        self, first: int, last: int | None, bindings: tuple[Binding, ...], call_id: str | None
    ) -> Iterator[tuple[EventView, str | None]]:
        """The events with numbers in [first, last], up to the newest of now."""


@contextmanager
def event_log(
    ctx: typer.Context,
    account: str | None,
    server: str | None,
    key: str | None,
    of_one: bool = False,
) -> Iterator[EventLog]:
    """The log that the options name; raises CommandFailed.

    With ``of_one`` it is of one account, which need not be named where there is no other.
    """
    if server:
        with server_log(account, server, key) as log:
            yield log
        return
    if _typed(ctx, "key"):
        raise CommandFailed("--key needs --server: the data directory is read without one")
    from trunkline.cli.event_log.local import LocalLog

    with archive(ctx) as opened:
        yield LocalLog(opened, _account(opened, account, of_one))


@contextmanager
def server_log(account: str | None, server: str, key: str | None) -> Iterator[RemoteLog]:
    """The log of the key's account on a server; raises CommandFailed."""
    from trunkline.cli.event_log.remote import remote_log

    if account is not None:
        raise CommandFailed("--account is of the data directory: with --server the key names it")
    with remote_log(server, _key(key)) as log:
        yield log


def _account(opened: Archive, name: str | None, of_one: bool) -> Account | None:
    if name is not None:
        return account_called(opened, name)
    accounts = opened.accounts()
    return accounts[0] if of_one and len(accounts) == 1 else None


def _typed(ctx: typer.Context, option: str) -> bool:
    """Was the option given in the command line, not only in the environment?"""
    source = ctx.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _key(given: str | None) -> str:
    key = _from_standard_input() if given == "-" else given
    if not key:
        raise CommandFailed(
            "--server needs a key with the scope events:read: set TRUNKLINE_KEY "
            "(trunkline key create makes one, on the server)"
        )
    return key


def _from_standard_input() -> str:
    """The first line; on a terminal it is asked for, and not shown."""
    if sys.stdin.isatty():
        return str(typer.prompt("Key", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()

"""The directory, open for one command.

Each command writes the database itself, in one transaction, and then tells the server that runs on
the same data directory, if one does; so it works with and without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from trunkline.cli.context import data_directory, settings_of
from trunkline.cli.running_server import tell_server

if TYPE_CHECKING:
    from trunkline.store.directory import AccountEntry, DirectoryTransaction


@contextmanager
def directory_of(ctx: typer.Context, changes: bool = False) -> Iterator[DirectoryTransaction]:
    """The directory in one transaction; after one that changes it, the server is told."""
    from trunkline.store.directory import ManagedDirectory
    from trunkline.store.secrets import open_key

    settings = settings_of(ctx)
    data = data_directory(settings)
    with ManagedDirectory(settings.place, open_key(data / "secret.key")).transaction() as directory:
        yield directory
    if changes:
        tell_server(data)


def find_account(directory: DirectoryTransaction, name: str) -> AccountEntry:
    from trunkline.store.directory import AccountEntry
    from trunkline.work.manage.manage_directory import find

    return find(directory, AccountEntry, name)


def account_id_of(directory: DirectoryTransaction, name: str | None) -> str | None:
    """The id of the account with that name or id; None where none is named."""
    return find_account(directory, name).account_id if name else None

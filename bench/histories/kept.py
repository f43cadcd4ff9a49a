"""Where the ten million calls are kept, on both databases, and how each is opened.

``$XDG_CACHE_HOME/trunkline/bench-history``, else ``~/.cache/…``; for root ``/var/cache/…``, since
PostgreSQL refuses to be root's, and nobody else may look into root's home.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from trunkline.directory.entries import AccountEntry, UserEntry
from trunkline.store.location import Location
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.store.ports.database import Database
from trunkline.store.secrets import InstallationKey, open_key
from trunkline.work.manage import entries
from trunkline.work.manage.devices import create_device
from trunkline.work.manage.users import create_user

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
REALM = "trunkline"


def home(given: str) -> Path:
    """The directory that all of it is under; ``given`` goes before what the environment says."""
    own = Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache"
    base = Path(os.environ.get("XDG_CACHE_HOME") or own)
    return Path(given).absolute() if given else base / "trunkline" / "bench-history"


class Kept(msgspec.Struct, frozen=True):
    """The calls in one database: ``where`` is a file or a URL, ``folder`` the data directory.

    ``accounts`` are the account ids in the order of ``office.companies(calls)``.
    """

    name: str
    where: str
    folder: str
    calls: int
    accounts: list[str]

    @property
    def place(self) -> Location:
        """The database."""
        return self.where if self.name == POSTGRESQL else Path(self.where)

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.folder)

    @property
    def key(self) -> InstallationKey:
        """What secrets are encrypted with."""
        return open_key(self.data / "secret.key")

    def open(self) -> Database:
        """As the product opens it. Use it from one event loop."""
        if isinstance(self.place, Path):
            from trunkline.store.sqlite import open_database as open_file

            return open_file(self.place, self.key)
        from trunkline.store.postgres import open_database as open_server

        return open_server(self.place, self.key)

    def staffed(self) -> None:
        """Every account has a user with a device, whose calls the event log can tell of."""
        with ManagedDirectory(self.place, self.key).transaction() as directory:
            for number, account_id in enumerate(self.accounts, 1):
                account = entries.find(directory, AccountEntry, account_id)
                if not directory.called(UserEntry, "bench", account_id):
                    user = create_user(directory, account, "bench", extension="999")
                    create_device(directory, account, user, device(number), realm=REALM)


def device(number: int) -> str:
    """The SIP user of a company's device."""
    return f"bench-c{number}"

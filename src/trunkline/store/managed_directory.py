"""The directory as people manage it: accounts, apps, users, devices, trunks, numbers and keys.

SQLAlchemy Core, synchronous, one transaction for each change. Calls read the same tables through
``ports.database.Directory``; nothing here is on a call's way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from trunkline.directory.entries import (
    WAYS,
    AccountEntry,
    AnnouncementEntry,
    AppEntry,
    DeviceEntry,
    Entry,
    ExtensionEntry,
    KeyEntry,
    MusicEntry,
    NumberEntry,
    RouteEntry,
    TrunkEntry,
    UserEntry,
)
from trunkline.store import tables
from trunkline.store.location import Location
from trunkline.store.opening import check_key, core_engine, upgrade
from trunkline.store.ports.database import DatabaseUnavailable
from trunkline.store.secrets import InstallationKey

_OWN_FAULT = (DataError, IntegrityError, ProgrammingError)
"""Of these the statement is the cause, and not the database."""


AnyEntry = TypeVar("AnyEntry", bound=Entry)

_TABLE: dict[type[Entry], sa.Table] = {
    AccountEntry: tables.accounts,
    AppEntry: tables.apps,
    UserEntry: tables.users,
    DeviceEntry: tables.devices,
    TrunkEntry: tables.trunks,
    NumberEntry: tables.numbers,
    ExtensionEntry: tables.extensions,
    AnnouncementEntry: tables.announcements,
    MusicEntry: tables.music,
    RouteEntry: tables.outbound_routes,
    KeyEntry: tables.api_keys,
}
_NAMED_BY: dict[type[Entry], sa.Column[Any]] = {
    AccountEntry: tables.accounts.c.name,
    AppEntry: tables.apps.c.name,
    UserEntry: tables.users.c.username,
    DeviceEntry: tables.devices.c.sip_user,
    TrunkEntry: tables.trunks.c.name,
    NumberEntry: tables.numbers.c.did,
    ExtensionEntry: tables.extensions.c.number,
    AnnouncementEntry: tables.announcements.c.name,
    MusicEntry: tables.music.c.name,
    RouteEntry: tables.outbound_routes.c.prefix,
    KeyEntry: tables.api_keys.c.name,
}


class DirectoryTransaction:
    """The directory within one transaction; what was added is seen at once."""

    def __init__(self, connection: sa.Connection, key: InstallationKey) -> None:
        self._connection = connection
        self._key = key

    def all(self, kind: type[AnyEntry], account_id: str | None = None) -> list[AnyEntry]:
        """Every entry of a kind, of one account or of all, oldest first."""
        return self._select(kind, *self._of(kind, account_id))

    def called(
        self, kind: type[AnyEntry], name: str, account_id: str | None = None
    ) -> list[AnyEntry]:
        """The entries with that id or name; names are unique in an account, device names overall."""
        table = _TABLE[kind]
        wanted = sa.or_(table.c.id == name, _NAMED_BY[kind] == name)
        return self._select(kind, wanted, *self._of(kind, account_id))

    def with_value(self, kind: type[AnyEntry], column: str, value: Any) -> list[AnyEntry]:
        """The entries whose column has that value."""
        return self._select(kind, _TABLE[kind].c[column] == value)

    def add(self, kind: type[AnyEntry], id_: str, **columns: Any) -> AnyEntry:
        """Add an entry under an id that the caller made."""
        now = time.time_ns() // 1000
        values = {"id": id_, "created_at": now, **columns}
        if kind is AccountEntry:
            values["number"] = _next_number()
        self._connection.execute(_TABLE[kind].insert().values(**values))
        return self.called(kind, id_)[0]

    def encrypted(self, secret: str) -> str:
        """A secret as it may be stored."""
        return self._key.encrypt(secret)

    def switch(self, kind: type[Entry], id_: str, enabled: bool) -> None:
        """Enable or disable an entry."""
        table = _TABLE[kind]
        self._connection.execute(table.update().where(table.c.id == id_).values(enabled=enabled))

    def lead(self, kind: type[NumberEntry | ExtensionEntry], id_: str, destination_id: str) -> None:
        """Have a number or an extension lead to another destination."""
        table = _TABLE[kind]
        where = table.c.id == id_
        self._connection.execute(table.update().where(where).values(destination_id=destination_id))

    def change(self, kind: type[AnyEntry], id_: str, **columns: Any) -> AnyEntry:
        """Set columns of an entry; gives it as it is then."""
        table = _TABLE[kind]
        self._connection.execute(table.update().where(table.c.id == id_).values(**columns))
        return self.called(kind, id_)[0]

    def rename_account(self, id_: str, name: str) -> None:
        """Give an account another name; its ids stay."""
        table = tables.accounts
        self._connection.execute(table.update().where(table.c.id == id_).values(name=name))

    def destination(self, account_id: str, kind: str, name: str) -> str | None:
        """The id of a destination of that kind and name."""
        table = tables.destinations
        named = sa.and_(
            table.c.account_id == account_id, table.c.kind == kind, table.c.name == name
        )
        return self._connection.scalar(sa.select(table.c.id).where(named))

    def add_destination(
        self, id_: str, account_id: str, kind: str, name: str, **columns: Any
    ) -> None:
        """Add a destination under an id that the caller made; ``columns`` are those of its kind."""
        values = {"id": id_, "account_id": account_id, "kind": kind, "name": name}
        self._connection.execute(tables.destinations.insert().values(**values))
        if columns:
            self._connection.execute(_OF_KIND[kind].insert().values(id=id_, **columns))

    def leading_to(self, destination_id: str) -> list[str]:
        """What leads to a destination, for people; what is its own counts: its extensions do."""
        read = self._connection.scalars
        numbers, extensions, ways = tables.numbers, tables.extensions, tables.ways
        others = tables.destinations.alias("others")
        going_on = (
            sa.select(others.c.kind + ":" + others.c.name + " (" + ways.c.on + ")")
            .join_from(ways, others, others.c.id == ways.c.from_id)
            .where(ways.c.to_id == destination_id, ways.c.from_id != destination_id)
        )
        to_it = (
            sa.select("number " + numbers.c.did).where(numbers.c.destination_id == destination_id),
            sa.select("extension " + extensions.c.number).where(
                extensions.c.destination_id == destination_id
            ),
            going_on,
        )
        return [str(found) for query in to_it for found in read(query)]

    def lead_on(self, from_id: str, on: str, to_id: str | None) -> None:
        """Have calls go on from one destination to another; None: no more."""
        table = tables.ways
        mine = sa.and_(table.c.from_id == from_id, table.c.on == on)
        self._connection.execute(table.delete().where(mine))
        if to_id is not None:
            self._connection.execute(
                table.insert().values({"from_id": from_id, "on": on, "to_id": to_id})
            )

    def add_prompt(
        self, id_: str, account_id: str, name: str, source: str, text: str, file: str
    ) -> None:
        """Add what an announcement says, whose files are there."""
        values = {"account_id": account_id, "name": name, "source": source, "text": text}
        now = time.time_ns() // 1000
        insert = tables.prompts.insert().values(id=id_, file=file, created_at=now, **values)
        self._connection.execute(insert)

    def delete_prompt(self, file: str) -> None:
        """Delete what an announcement said; its files are the caller's."""
        self._connection.execute(tables.prompts.delete().where(tables.prompts.c.file == file))

    def use_music(self, account_id: str, music_id: str | None) -> None:
        """Have the account's held parties hear that; None: the default music."""
        table = tables.music
        mine = table.update().where(table.c.account_id == account_id)
        self._connection.execute(mine.values(used=table.c.id == (music_id or "")))

    def delete_destination(self, id_: str) -> None:
        """Delete a destination with its extensions and its ways on; nothing else may lead to it."""
        for table, column in (
            (tables.extensions, tables.extensions.c.destination_id),
            (tables.ways, tables.ways.c.from_id),
            (tables.destinations, tables.destinations.c.id),
        ):
            self._connection.execute(table.delete().where(column == id_))

    def delete(self, kind: type[Entry], id_: str) -> None:
        """Delete an entry and all that belongs to it; an account's events and statistics go with it."""
        table, of_account = _TABLE[kind], sa.select(tables.accounts.c.number)
        number = self._connection.scalar(of_account.where(tables.accounts.c.id == id_))
        self._connection.execute(table.delete().where(table.c.id == id_))
        if kind is AccountEntry:
            for left in (tables.events, tables.call_stats, tables.call_stats_marks):
                self._connection.execute(left.delete().where(left.c.account_id == id_))
            for left in (tables.call_terms, tables.call_updates):  # the number may be given again
                mine = left.c.account_number == number
                self._connection.execute(left.delete().where(mine))

    def has_calls(self, account_id: str) -> bool:
        """Has the account any call, live or in its history?"""
        found = sa.or_(
            *(
                sa.exists().where(table.c.account_id == account_id)
                for table in (tables.calls, tables.live_calls)
            )
        )
        return bool(self._connection.scalar(sa.select(found)))

    @staticmethod
    def _of(kind: type[Entry], account_id: str | None) -> list[sa.ColumnElement[bool]]:
        if account_id is None:
            return []
        table = _TABLE[kind]
        return [(table.c.id if kind is AccountEntry else table.c.account_id) == account_id]

    def _select(self, kind: type[AnyEntry], *where: sa.ColumnElement[bool]) -> list[AnyEntry]:
        table = _TABLE[kind]
        columns = [_column(table, name).label(name) for name in kind.__struct_fields__]
        query = (
            sa.select(*columns)
            .select_from(_joined(table))
            .where(*where)
            .order_by(table.c.created_at, table.c.id)
        )
        return [_entry(kind, row) for row in self._connection.execute(query).mappings()]


_LISTS = {
    *("dial_allow", "dial_deny", "emergency_listed", "emergency_numbers"),
    *("allowed_addresses", "match", "scopes"),
}
"""Columns that hold several values with commas between."""


def _entry(kind: type[AnyEntry], row: sa.RowMapping) -> AnyEntry:
    lists = {name: [part for part in row[name].split(",") if part] for name in _LISTS & row.keys()}
    return kind(**{**row, **lists})


_OF_KIND: dict[str, sa.Table] = {
    "outside": tables.outside_numbers,
    "hangup": tables.hangups,
}
"""Where each kind of destination that is made on first use has what is its own."""


def _extension() -> sa.ColumnElement[Any]:
    table = tables.extensions
    query = sa.select(table.c.number).where(table.c.destination_id == tables.users.c.id)
    return query.order_by(table.c.created_at, table.c.id).limit(1).scalar_subquery()


def _way(table: sa.Table, on: str) -> sa.ColumnElement[Any]:
    ways, to = tables.ways, tables.destinations.alias(f"on_{on}")
    query = (
        sa.select(to.c.kind + ":" + to.c.name)
        .join_from(ways, to, to.c.id == ways.c.to_id)
        .where(ways.c.from_id == table.c.id, ways.c.on == on)
    )
    return query.scalar_subquery()


def _column(table: sa.Table, name: str) -> sa.ColumnElement[Any]:
    if name == "extension":
        return _extension()
    if name in WAYS:
        return _way(table, name)
    if name == "to":
        return tables.destinations.c.kind + ":" + tables.destinations.c.name
    if name in ("source", "text", "file") and table is tables.announcements:
        return tables.prompts.c[name]
    if name == "trunk":
        return tables.trunks.c.name
    if name == "user_id" and table is tables.numbers:
        return tables.users.c.id
    if name == f"{table.name.removeprefix('api_').removeprefix('outbound_').removesuffix('s')}_id":
        return table.c.id
    if name == "online":
        return sa.func.coalesce(tables.device_states.c.online, sa.false())
    if name == "secure":
        return sa.func.coalesce(tables.device_states.c.secure, sa.false())
    if name == "up":
        return sa.case((tables.trunks.c.enabled, tables.trunk_states.c.up), else_=sa.null())
    if name == "username":
        return tables.users.c.username
    return table.c[name]


def _joined(table: sa.Table) -> sa.FromClause:
    if table is tables.devices:
        return table.join(tables.users, tables.users.c.id == table.c.user_id).outerjoin(
            tables.device_states, tables.device_states.c.device_id == table.c.id
        )
    if table is tables.trunks:
        states = tables.trunk_states
        return table.outerjoin(states, states.c.trunk_id == table.c.id)
    if table is tables.announcements:
        return table.join(tables.prompts, tables.prompts.c.id == table.c.prompt_id)
    if table is tables.outbound_routes:
        return table.join(tables.trunks, tables.trunks.c.id == table.c.trunk_id)
    if table in (tables.numbers, tables.extensions):
        to = tables.destinations
        joined = table.join(to, to.c.id == table.c.destination_id)
        return joined.outerjoin(tables.users, tables.users.c.id == to.c.id)
    return table


def _next_number() -> sa.ScalarSelect[int]:
    """The next account's; of these transactions one is under way at a time."""
    return sa.select(
        sa.func.coalesce(sa.func.max(tables.accounts.c.number), 0) + 1
    ).scalar_subquery()


class ManagedDirectory:
    """The directory in a database, which is made and migrated if need be.

    Raises DatabaseUnusable; DatabaseUnavailable where PostgreSQL is away.
    """

    def __init__(self, place: Location, key: InstallationKey) -> None:
        upgrade(place)
        check_key(place, key)
        self._engine = core_engine(place)
        self._key = key

    @contextmanager
    def transaction(self) -> Iterator[DirectoryTransaction]:
        """One transaction; it is on the disk after the block. Raises DatabaseUnavailable."""
        try:
            with self._engine.begin() as connection:
                yield DirectoryTransaction(connection, self._key)
        except _OWN_FAULT:
            raise
        except DBAPIError as error:
            raise DatabaseUnavailable(f"the database cannot be used now: {error.orig}") from error

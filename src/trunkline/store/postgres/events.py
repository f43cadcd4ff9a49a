"""Each account's numbered log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from trunkline.events.stored import Announcement, StoredEvent
from trunkline.store.common.numbering import with_number, without_number
from trunkline.store.ports.database import Batch
from trunkline.store.postgres.connect import Connection
from trunkline.store.postgres.queries import named
from trunkline.store.postgres.reader import Reader
from trunkline.store.postgres.text import storable
from trunkline.store.postgres.writer import BatchWriter, Writer

CHANNEL = "trunkline_events"
"""Where each transaction tells of its events: ``<account id>:<first number>:<last number>``."""


class Newest(NamedTuple):
    """The newest numbers that an account has given, and its own."""

    event: int
    update: int
    """Of the change of a call."""
    account: int


async def lock_accounts(connection: Connection, account_ids: Collection[str]) -> dict[str, Newest]:
    """account id -> its newest numbers, of those that there are.

    Until the transaction ends nobody else numbers their events, so numbers become visible in
    their order. They are locked in the order of their ids: no two writers wait for each other.
    """
    if not account_ids:
        return {}
    rows = await named("events").lock_accounts(connection, account_ids=list(account_ids))
    return {id_: Newest(*numbers) for id_, *numbers in rows}


async def store_events(
    connection: Connection, announcements: Sequence[Announcement]
) -> list[StoredEvent]:
    """Number the announcements, each in its account, and store them.

    What an account that is no more would have been told is left out.
    """
    newest = await lock_accounts(connection, {each.account_id for each in announcements})
    bodies = [without_number(each) for each in announcements]
    (events,) = numbered_in_order([announcements], bodies, newest)
    if events:
        await _store(connection, events, {id_: each.event for id_, each in newest.items()})
    return events


def numbered_in_order(
    groups: Sequence[Sequence[Announcement]],
    bodies: Sequence[bytes],
    newest: Mapping[str, Newest],
) -> list[list[StoredEvent]]:
    """The groups' events, whose accounts were locked; ``bodies`` are those of all groups in a row.

    The number is taken in the same transaction, so a number is never skipped and never given twice.
    """
    reached = {account_id: numbers.event for account_id, numbers in newest.items()}
    body = iter(bodies)
    return [_numbered(zip(group, body, strict=False), reached) for group in groups]


def _numbered(
    group: Iterable[tuple[Announcement, bytes]], reached: dict[str, int]
) -> list[StoredEvent]:
    events = []
    for announcement, body in group:
        if announcement.account_id in reached:
            seq = reached[announcement.account_id] = reached[announcement.account_id] + 1
            events.append(with_number(announcement, body, seq))
    return events


def events_columns(
    announcements: Sequence[Announcement], bodies: Sequence[bytes]
) -> dict[str, Sequence[Any]]:
    """What ``batches.sql: write`` numbers and stores."""
    return {
        "accounts_told": [each.account_id for each in announcements],
        "categories": [each.category for each in announcements],
        "names": [each.name for each in announcements],
        "subjects": [storable(each.subject) for each in announcements],
        "call_ids": [storable(each.call_id) for each in announcements],
        "ats": [each.at for each in announcements],
        "bodies": bodies,
    }


async def _store(
    connection: Connection, events: Sequence[StoredEvent], before: Mapping[str, int]
) -> None:
    sql = named("events")
    reached = {event.account_id: event.seq for event in events}
    await sql.add_events(
        connection,
        account_ids=[event.account_id for event in events],
        seqs=[event.seq for event in events],
        categories=[event.category for event in events],
        names=[event.name for event in events],
        subjects=[storable(event.subject) for event in events],
        call_ids=[storable(event.call_id) for event in events],
        ats=[event.at for event in events],
        bodies=[event.body for event in events],
    )
    await sql.tell(
        connection,
        account_ids=list(reached),
        last_seqs=list(reached.values()),
        told=[f"{account}:{before[account] + 1}:{last}" for account, last in reached.items()],
        channel=CHANNEL,
    )


class PostgresEvents:
    """Each account's numbered log (see ``db.port.Events``)."""

    def __init__(self, reader: Reader, writer: Writer, batches: BatchWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._batches = batches
        self._sql = named("events")

    async def after(self, account_id: str, seq: int, limit: int) -> list[StoredEvent]:
        """At most ``limit`` events that follow number ``seq``, in order."""
        rows = await self._reader.all(self._sql.after, account_id=account_id, seq=seq, limit=limit)
        return [StoredEvent(*row) for row in rows]

    async def of_call(
        self, account_id: str, call_id: str, seq: int, limit: int
    ) -> list[StoredEvent]:
        """At most ``limit`` events of the call that follow number ``seq``, in order."""
        rows = await self._reader.all(
            self._sql.of_call_after, account_id=account_id, call_id=call_id, seq=seq, limit=limit
        )
        return [StoredEvent(*row) for row in rows]

    async def bounds(self, account_id: str) -> tuple[int, int]:
        """(oldest number kept, newest number given); when none is kept, oldest is newest + 1."""
        row = await self._reader.one(self._sql.bounds, account_id=account_id)
        return (1, 0) if row is None else (row[0], row[1])

    async def newest(self) -> dict[str, int]:
        """account id -> its newest number, of every account: what ``bus.postgres`` begins with."""
        return dict(await self._reader.all(self._sql.newest))

    async def append(self, announcements: Sequence[Announcement]) -> list[StoredEvent]:
        """Number and store events that belong to no call."""
        return await self._batches.commit(Batch(announcements=list(announcements)))

    async def device_state(
        self, device_id: str, online: bool, announcement: Announcement
    ) -> StoredEvent | None:
        """Store the device's new state with its event; None (and no event) if it was so already.

        A device that was never heard of was offline; one that is no more changes nothing.
        """

        async def change(connection: Connection) -> StoredEvent | None:
            changed = await self._sql.set_device_state(
                connection, device_id=device_id, online=online, at=announcement.at
            )
            return await _told(connection, announcement) if changed else None

        return await self._writer.run(change)

    async def device_states(self) -> Mapping[str, bool]:
        """SIP user of a device -> online, as last stored."""
        return dict(await self._reader.all(self._sql.device_states))

    async def trunk_state(
        self, trunk_id: str, up: bool, announcement: Announcement
    ) -> StoredEvent | None:
        """Store the trunk's new state with its event; None (and no event) if it was so already.

        A trunk's first state is a change; a trunk that is no more changes nothing.
        """

        async def change(connection: Connection) -> StoredEvent | None:
            changed = await self._sql.set_trunk_state(
                connection, trunk_id=trunk_id, up=up, at=announcement.at
            )
            return await _told(connection, announcement) if changed else None

        return await self._writer.run(change)

    async def trunk_states(self) -> Mapping[str, bool]:
        """trunk id -> up, as last stored."""
        return dict(await self._reader.all(self._sql.trunk_states))


async def _told(connection: Connection, announcement: Announcement) -> StoredEvent | None:
    return next(iter(await store_events(connection, [announcement])), None)

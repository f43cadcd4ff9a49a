"""What the rest of Trunkline may ask of a database, whichever one it is.

All of it is awaited. In SQLite, point reads cost tens of microseconds and are answered at once, in the
caller's thread. A write that returned is on the disk.
Times are unix microseconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from trunkline.calls.cel import LogPosition
from trunkline.calls.facts import AnyFact
from trunkline.calls.record import CallRecord
from trunkline.calls.recording_plan import RecordingPlan
from trunkline.calls.words import RecordingStatus
from trunkline.events.stored import Announcement, StoredEvent
from trunkline.history.row import HistoryRow
from trunkline.routing.dialling import Rights
from trunkline.routing.emergency import Emergency
from trunkline.routing.limits import Limits
from trunkline.store.ports.apps import (
    Keys,
    Requests,
    Tokens,
)
from trunkline.store.ports.history import History
from trunkline.store.ports.retention import Retention
from trunkline.store.ports.sip_messages import SipMessages
from trunkline.store.ports.statistics import Statistics
from trunkline.store.ports.webhooks import Deliveries, Webhooks


class DatabaseUnavailable(Exception):
    """The database cannot take a write now (disk full, locked, gone); trying again may help."""


class DatabaseUnusable(Exception):
    """The database cannot be opened by this program; the message says why and what to do."""


class App(msgspec.Struct, frozen=True):
    """An application that holds credentials of one account. ``secret`` never leaves the process."""

    id: str
    account_id: str
    name: str
    secret: str
    legacy_hashes: bool
    allowed_addresses: tuple[str, ...]
    read_only: bool
    timezone: str

    def __repr__(self) -> str:
        return f"App(id={self.id!r}, account_id={self.account_id!r})"


class CallingDevice(msgspec.Struct, frozen=True):
    """A device with all that placing a call for it needs, read in one go."""

    id: str
    account_id: str
    sip_user: str
    realm: str
    ha1: str
    user_id: str
    username: str
    display_name: str
    extension: str | None
    caller_id: str | None
    rights: Rights
    emergency: Emergency
    record: bool
    srtp: str = "off"


class Destination(msgspec.Struct, frozen=True):
    """Where a call may go; of a user also who that is, and every enabled device, oldest first.

    ``outside`` is the number of an outside number, and empty of all others.
    """

    kind: str
    id: str
    username: str
    display_name: str
    extension: str | None
    outside: str
    sip_users: tuple[str, ...]


class EndpointOwner(msgspec.Struct, frozen=True):
    """Whose an Asterisk endpoint is; devices belong to a user, trunks to an account only."""

    kind: Literal["device", "trunk"]
    account_id: str
    device_id: str | None = None
    user_id: str | None = None
    username: str | None = None
    display_name: str = ""
    srtp: str = "off"
    trunk_id: str | None = None


class TrunkLine(msgspec.Struct, frozen=True):
    """A trunk as the engine's configuration needs it. ``auth_password`` is plain: never log it."""

    endpoint: str
    account_id: str
    name: str
    host: str
    port: int
    transport: str
    auth_user: str | None
    auth_password: str | None
    register: bool
    match: tuple[str, ...]
    srtp: str = "off"

    def __repr__(self) -> str:
        return f"TrunkLine(endpoint={self.endpoint!r}, host={self.host!r}, port={self.port})"


class Batch(msgspec.Struct, kw_only=True):
    """All that one step of the fold changes; it is committed whole or not at all."""

    facts: list[AnyFact] = []
    announcements: list[Announcement] = []
    finished: list[CallRecord] = []
    plans: dict[str, RecordingPlan] = {}
    """What finished calls' recordings are made of, by call_id; without: one raw file of that name."""
    opened: list[tuple[str, str, int]] = []
    """(call_id, account_id, at) of calls that are live from now on."""
    closed: list[str] = []
    """call_ids that are live no more (finished, withdrawn or merged)."""
    node_id: str = ""
    """The node whose engine has the calls that are opened, and whose log ``position`` is of."""
    position: LogPosition | None = None
    """How far that log is taken in by this batch."""


class OpenCall(msgspec.Struct, frozen=True):
    """A call that was live when the process ended, with its journal."""

    call_id: str
    account_id: str
    facts: tuple[AnyFact, ...]


class Page(msgspec.Struct, frozen=True):
    """One page of history, newest first, and the exact number of calls in the whole window."""

    total: int
    rows: Sequence[HistoryRow]


class Directory(Protocol):
    """Accounts, apps, users, devices, trunks and numbers, as calls need them (reads only)."""

    async def app(self, app_id: str) -> App | None:
        """The enabled app of an enabled account, its secret decrypted."""

    async def device(self, account_id: str, sip_user: str) -> CallingDevice | None:
        """The account's enabled device."""

    async def extension(self, account_id: str, extension: str) -> Destination | None:
        """What is behind an extension, unless that is disabled."""

    async def did(self, account_id: str, did: str) -> Destination | None:
        """What is behind an inbound number; ``did`` may have a leading ``+`` or not."""

    async def endpoint_owner(self, endpoint: str) -> EndpointOwner | None:
        """Whose an endpoint is (a device's SIP user, or a trunk's endpoint name)."""

    async def user_owner(self, user_id: str) -> Destination | None:
        """The user, by id."""

    async def trunks(self) -> list[TrunkLine]:
        """All enabled trunks of enabled accounts."""

    async def limits(self, id_: str) -> Limits:
        """Of a device (its SIP user) or a trunk (its id); of what is no more, none."""

    async def timezone(self, account_id: str) -> str:
        """The account's IANA time zone."""


class Calls(Protocol):
    """The journal, the live calls, and the history that grew from them."""

    async def commit(self, batch: Batch) -> list[StoredEvent]:
        """Write the batch in one transaction; gives the events with their numbers, in order.

        A finished call whose id is already in the history is left as it is (a replayed log).
        """

    async def commit_early(self, batch: Batch) -> Awaitable[None]:
        """Write a batch that announces nothing, so far that a kill of this process loses none of it.

        What it gives is done once a power cut of this machine loses none either; it raises
        DatabaseUnavailable where that will never be.
        """

    async def open_calls(self, node_id: str) -> list[OpenCall]:
        """The live calls of a node, oldest first, each with all its facts in order."""

    async def inherit(self, node_id: str) -> None:
        """Make this node's what can be no other's: live calls and a log position without a node.

        A SQLite file is one server's, so there it is all: what another node has left came with a
        backup, or is of a data directory whose engine's files were made anew.
        """

    async def nodes_away(self, node_id: str) -> list[str]:
        """The other nodes that have live calls and no server now."""

    async def facts(self, call_id: str) -> list[AnyFact]:
        """The journal of one call, in order."""

    async def position(self, node_id: str) -> LogPosition | None:
        """How far the node's log has been taken in."""

    async def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        """Page ``page`` (from 1) of the calls that started in [start, end)."""

    async def known(self, call_id: str) -> bool:
        """Is there a live or finished call under this id that the log has spoken of?"""


class Events(Protocol):
    """Each account's numbered log."""

    async def after(self, account_id: str, seq: int, limit: int) -> list[StoredEvent]:
        """At most ``limit`` events that follow number ``seq``, in order."""

    async def of_call(
        self, account_id: str, call_id: str, seq: int, limit: int
    ) -> list[StoredEvent]:
        """At most ``limit`` events of the call that follow number ``seq``, in order."""

    async def bounds(self, account_id: str) -> tuple[int, int]:
        """(oldest number kept, newest number); (1, 0) when the log is empty."""

    async def append(self, announcements: Sequence[Announcement]) -> list[StoredEvent]:
        """Number and store events that belong to no call."""

    async def device_state(
        self, device_id: str, online: bool, announcement: Announcement
    ) -> StoredEvent | None:
        """Store the device's new state with its event; None (and no event) if it was so already."""

    async def device_secure(self, sip_user: str, secure: bool, at: int) -> bool:
        """Store whether the device registered over TLS; False if that was known, or there is none."""

    async def device_since(self, device_id: str) -> tuple[bool, int | None]:
        """Is it online, and since when is that so? (None: it was never heard of, or is no more.)"""

    async def device_states(self) -> Mapping[str, bool]:
        """SIP user of a device -> online, as last stored."""

    async def trunk_state(
        self, trunk_id: str, up: bool, announcement: Announcement
    ) -> StoredEvent | None:
        """Store the trunk's new state with its event; None (and no event) if it was so already.

        The first state of a trunk is always a change.
        """

    async def trunk_states(self) -> Mapping[str, bool]:
        """trunk id -> up, as last stored; a trunk that was never heard of is missing."""


class Recording(msgspec.Struct, frozen=True):
    """A recording. ``name`` is public (``call_recording_<id>.mp3``); ``plan`` what it is made of."""

    name: str
    account_id: str
    call_id: str
    id: str
    state: RecordingStatus
    attempts: int
    bytes: int
    seconds: float
    created_at: int
    client_ref: str | None
    """Its call's."""
    kind: Literal["call", "voicemail", "conference"]
    plan: RecordingPlan


class Recordings(Protocol):
    """The recordings' rows. A row comes to be with its call's record (in ``Calls.commit``)."""

    async def by_name(self, account_id: str, name: str) -> Recording | None:
        """The account's recording of that public name."""

    async def any_account(self, name: str) -> Recording | None:
        """The recording of that public name, for a URL whose signature has been checked."""

    async def of_raw(self, raw: str) -> list[Recording]:
        """The recordings that a raw file is needed for, or was: of two calls, where its leg moved."""

    async def claim(self, name: str, worker: str, now: int, until: int) -> Recording | None:
        """Take an expected recording, if no other worker holds it (conditional update)."""

    async def done(
        self, name: str, worker: str, size: int, seconds: float, announcement: Announcement
    ) -> StoredEvent | None:
        """Mark it done with its event; None if the claim was lost meanwhile."""

    async def failed(
        self, name: str, worker: str, reason: str, announcement: Announcement
    ) -> StoredEvent | None:
        """Mark it failed for good, with its event; the call's record names no recording then."""

    async def released(self, name: str, worker: str, reason: str) -> None:
        """Give a claim back; it will be tried again."""

    async def expected(self, before: int, limit: int) -> list[Recording]:
        """Recordings not yet made whose call ended before ``before``, oldest first."""

    async def waiting(self) -> int:
        """How many recordings are not yet made."""


class Database(Protocol):
    """One database, open."""

    @property
    def directory(self) -> Directory: ...
    @property
    def calls(self) -> Calls: ...
    @property
    def history(self) -> History: ...
    @property
    def events(self) -> Events: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def recordings(self) -> Recordings: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def statistics(self) -> Statistics: ...
    @property
    def sip_messages(self) -> SipMessages: ...
    @property
    def retention(self) -> Retention: ...

    async def ping(self) -> None:
        """Raises DatabaseUnavailable when a write could not be made now."""

    async def close(self) -> None:
        """Finish what is queued and close."""

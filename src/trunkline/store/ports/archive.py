"""What the command line may ask of a database beside a running server: only what happened, never a write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from trunkline.calls.call import Call
from trunkline.calls.facts import AnyFact
from trunkline.events.stored import StoredEvent
from trunkline.history.sums import GroupBy, Summed
from trunkline.store.ports.database import Page
from trunkline.store.ports.history import CallFilter, CallKey, Found
from trunkline.store.ports.sip_messages import SipFound


class Account(NamedTuple):
    """An account, and the newest number of its event log."""

    id: str
    name: str
    timezone: str
    last_seq: int


class RecordingRow(NamedTuple):
    """A recording; ``reason`` says why there is none yet, ``created_at`` is the call's end."""

    name: str
    account_id: str
    call_id: str
    state: str
    bytes: int
    seconds: float
    reason: str
    created_at: int


class StoppedWebhook(NamedTuple):
    """A webhook that was stopped by what it answered, or did not; ``reason`` says so."""

    id: str
    account: str
    state: str
    reason: str


class Archive(Protocol):
    """A database open for reading only. It disturbs no server; every method raises DatabaseUnavailable.

    Synchronous: not to be asked inside an event loop.
    """

    def close(self) -> None:
        """Close it."""

    def accounts(self) -> list[Account]:
        """Every account, by name."""

    def stopped_webhooks(self) -> list[StoppedWebhook]:
        """Webhooks that were stopped by what they answered, or did not."""

    def trunk_names(self) -> dict[str, str]:
        """Endpoint -> name, of every trunk."""

    # ---- calls --------------------------------------------------------------------------------

    def live(self, account_id: str | None = None) -> list[Call]:
        """The live calls of an account, or of all, oldest first."""

    def call(self, call_id: str) -> Call | None:
        """The call as its journal makes it; None where that is not kept any more."""

    def facts(self, call_id: str) -> list[AnyFact]:
        """The journal of a call, in order; empty where that is not kept any more."""

    def record(self, call_id: str) -> dict[str, Any] | None:
        """All columns of a finished call; None if there is none of that id."""

    def page(self, account_id: str, start: int, end: int, limit: int, page: int) -> Page:
        """A page of history (``Calls.page``)."""

    def find(self, account_id: str, wanted: CallFilter, after: CallKey, limit: int) -> Found:
        """Finished calls, newest first (``ports.history.History.find``)."""

    def total(self, account_id: str, start: int, end: int) -> int:
        """How many calls started in [start, end)."""

    def statistics(self, account_id: str, group: GroupBy, cuts: Sequence[int], most: int) -> Summed:
        """What calls came to (``ports.statistics.Statistics.summed``)."""

    def sip_messages(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        """SIP messages (``ports.sip_messages.SipMessages.of_call``)."""

    # ---- events -------------------------------------------------------------------------------

    def events(self, account_id: str, after: int, limit: int) -> list[StoredEvent]:
        """At most ``limit`` events that follow number ``after``, in order."""

    def call_events(
        self, account_id: str, call_id: str, after: int, limit: int
    ) -> list[StoredEvent]:
        """At most ``limit`` events of the call that follow number ``after``, in order."""

    def bounds(self, account_id: str) -> tuple[int, int]:
        """(oldest number kept, newest number given)."""

    # ---- recordings ---------------------------------------------------------------------------

    def recordings(self, account_id: str, limit: int) -> list[RecordingRow]:
        """An account's recordings, those of the newest calls first."""

    def recording(self, wanted: str) -> RecordingRow | None:
        """The recording of that public name, or of the call with that id."""

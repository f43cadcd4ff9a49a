"""The event logs of the data directory, read from the database and followed by polling it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trunkline.cli.event_log.event_view import EventView, from_log, matching
from trunkline.cli.failure import CommandFailed
from trunkline.events.stored import StoredEvent

if TYPE_CHECKING:
    from trunkline.events.bindings import Binding
    from trunkline.store.ports.archive import Account, Archive

SECONDS = 0.2
"""How often to look: a look costs one indexed read."""
_AT_ONCE = 500


class LocalLog(NamedTuple):
    """The log of one account of the data directory, or of all (None)."""

    opened: Archive
    account: Account | None

    @property
    def account_id(self) -> str:
        return self._one().id

    def _one(self) -> Account:
        if self.account is None:
            raise CommandFailed("say which account with --account: see trunkline account list")
        return self.account

    def tail(
        self, after: int | None, once: bool, bindings: tuple[Binding, ...]
    ) -> Iterator[tuple[EventView, str | None]]:
        """See ``EventLog``; raises CommandFailed for ``after`` without an account."""
        if after is not None and self.account is None:
            raise CommandFailed("--after needs --account: each account counts its own events")
        matches = matching(bindings)
        account = self.account.id if self.account else None
        for event, timezone in follow(self.opened, account, after, once):
            if matches(event):
                yield from_log(event), timezone

    def stretch(
        self, first: int, last: int | None, bindings: tuple[Binding, ...], call_id: str | None
    ) -> Iterator[tuple[EventView, str | None]]:
        owner, matches = self._one(), matching(bindings)
        upto = owner.last_seq if last is None else min(last, owner.last_seq)
        for event in _stretch(self.opened, owner, first - 1, upto, call_id):
            if matches(event):
                yield from_log(event), owner.timezone


def follow(
    opened: Archive,
    account: str | None,
    after: int | None,
    once: bool,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[StoredEvent, str]]:
    """Every event with its account's time zone, each account's in the order of its numbers.

    From ``after`` on, else from now on; with ``once`` it ends with the newest one. Where events that
    were asked for are not kept any more, a ``GAP`` comes in their place.
    """
    reached = {
        each.id: each.last_seq if after is None else min(after, each.last_seq)
        for each in opened.accounts()
    }
    while True:
        for each in opened.accounts():
            if account in (None, each.name, each.id):
                for event in _stretch(opened, each, reached.get(each.id, 0), each.last_seq):
                    reached[each.id] = event.seq
                    yield event, each.timezone
        if once:
            return
        wait(SECONDS)


def _stretch(
    opened: Archive, account: Account, after: int, last: int, call_id: str | None = None
) -> Iterator[StoredEvent]:
    """The events with numbers in (after, last], those of one call if it is named."""
    oldest, _ = opened.bounds(account.id)
    if after + 1 < oldest and after < last:
        yield _gap(account.id, after + 1, min(oldest - 1, last))
        after = oldest - 1
    while after < last:
        if call_id is None:
            events = opened.events(account.id, after, _AT_ONCE)
        else:
            events = opened.call_events(account.id, call_id, after, _AT_ONCE)
        yield from (event for event in events if event.seq <= last)
        if not events:
            return
        after = events[-1].seq


def _gap(account_id: str, first: int, last: int) -> StoredEvent:
    body = {"from": first, "to": last}
    now = time.time_ns() // 1000
    return StoredEvent(account_id, last, "account", "GAP", "", None, now, msgspec.json.encode(body))

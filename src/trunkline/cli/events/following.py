"""Reading the numbered event logs of accounts, and following them by looking again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from trunkline.events.stored import StoredEvent

if TYPE_CHECKING:
    from trunkline.store.ports.archive import Account, Archive

SECONDS = 0.2
"""How often to look: a look costs one indexed read."""
_AT_ONCE = 500


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
                for event in stretch(opened, each, reached.get(each.id, 0), each.last_seq):
                    reached[each.id] = event.seq
                    yield event, each.timezone
        if once:
            return
        wait(SECONDS)


def stretch(
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

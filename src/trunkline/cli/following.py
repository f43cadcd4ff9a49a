"""Following the numbered event logs of accounts, by reading them again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from trunkline.calls.record import StoredEvent

if TYPE_CHECKING:
    from trunkline.db.sqlite.archive import Account, Archive

SECONDS = 0.2
"""How often to look: a look costs one indexed read."""
_AT_ONCE = 500


def follow(
    opened: Archive,
    account: str | None,
    after: int | None,
    once: bool,
    wait: Callable[[float], None],
) -> Iterator[tuple[StoredEvent, str]]:
    """Every event with its account's time zone, each account's in the order of its numbers.

    From ``after`` on, else from now on; with ``once`` it ends with the newest one. Where events that
    were asked for are not kept any more, a ``GAP`` comes in their place.
    """
    reached = {each.id: each.last_seq if after is None else after for each in opened.accounts()}
    while True:
        for each in opened.accounts():
            if account in (None, each.name, each.id):
                for event in _new(opened, each, reached.get(each.id, 0)):
                    reached[each.id] = event.seq
                    yield event, each.timezone
        if once:
            return
        wait(SECONDS)


def _new(opened: Archive, account: Account, reached: int) -> Iterator[StoredEvent]:
    """What the account's log holds beyond a number, up to the newest one of now."""
    if reached >= account.last_seq:
        return
    oldest, _ = opened.bounds(account.id)
    if reached + 1 < oldest:
        yield _gap(account.id, reached + 1, oldest - 1)
        reached = oldest - 1
    while reached < account.last_seq:
        events = opened.events(account.id, reached, _AT_ONCE)
        yield from events
        if not events:
            return
        reached = events[-1].seq


def _gap(account_id: str, first: int, last: int) -> StoredEvent:
    body = {"Event-Name": "GAP", "from": first, "to": last}
    return StoredEvent(account_id, last, "account", "GAP", "", None, 0, msgspec.json.encode(body))

"""Manage where calls go: destinations by KIND:NAME, extensions, ways, announcements and outbound routes.

``outside:NUMBER`` and ``hangup:CAUSE`` are made when they are first named; a command of its own makes each
of the others. A new kind is one line in ``_KINDS``.
"""

from __future__ import annotations

from collections.abc import Callable

from trunkline.calls.causes import NAMES
from trunkline.directory import rules as rules
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.directory import (
    AccountEntry,
    AnnouncementEntry,
    DirectoryTransaction,
    RouteEntry,
    TrunkEntry,
    UserEntry,
)
from trunkline.work.manage.manage_directory import find, new_id, refuse_used

_CAUSES = {name.lower(): number for number, name in NAMES.items() if 0 < number < 128} | {
    "busy": 17,
    "normal": 16,
    "rejected": 21,
    "unallocated": 1,
}
MOST_ROUTES = 50
"""Of an account. All of them are read into one variable of Asterisk's, which holds 8192 characters."""


def destination(directory: DirectoryTransaction, account: AccountEntry, text: str) -> str:
    """The id of ``KIND:NAME`` in the account, made if its kind allows that; raises DirectoryRefused."""
    kind, _, name = text.partition(":")
    if kind not in _KINDS or not name:
        shown = ", ".join(f"{each}:{what}" for each, (what, _) in _KINDS.items())
        raise DirectoryRefused(f"{text!r} is no destination: take one of {shown}")
    return _KINDS[kind][1](directory, account, name)


def _user(directory: DirectoryTransaction, account: AccountEntry, name: str) -> str:
    return find(directory, UserEntry, name, account.account_id).user_id


def _announcement(directory: DirectoryTransaction, account: AccountEntry, name: str) -> str:
    return find(directory, AnnouncementEntry, name, account.account_id).announcement_id


def _outside(directory: DirectoryTransaction, account: AccountEntry, name: str) -> str:
    number = rules.did(name)
    return _made(directory, account, "outside", number, number=number)


def _hangup(directory: DirectoryTransaction, account: AccountEntry, name: str) -> str:
    word = name.lower()
    if word not in _CAUSES:
        raise DirectoryRefused(
            f"hangup:{name} is no cause: take busy, normal, rejected, unallocated, or a name such as"
            " hangup:number_changed"
        )
    return _made(directory, account, "hangup", word, cause=_CAUSES[word])


def _made(
    directory: DirectoryTransaction, account: AccountEntry, kind: str, name: str, **columns: object
) -> str:
    known = directory.destination(account.account_id, kind, name)
    if known is None:
        known = new_id()
        directory.add_destination(known, account.account_id, kind, name, **columns)
    return known


_KINDS: dict[str, tuple[str, Callable[[DirectoryTransaction, AccountEntry, str], str]]] = {
    "user": ("USERNAME", _user),
    "outside": ("NUMBER", _outside),
    "hangup": ("CAUSE", _hangup),
    "announcement": ("NAME", _announcement),
}
"""kind -> (what its name is, how it is found or made)."""


def lead_on(
    directory: DirectoryTransaction, account: AccountEntry, from_id: str, on: str, to: str | None
) -> None:
    """Have calls go on to KIND:NAME. An empty ``to`` ends that, None leaves it as it was."""
    if to is not None:
        directory.lead_on(from_id, on, destination(directory, account, to) if to else None)


def create_announcement(
    directory: DirectoryTransaction,
    account: AccountEntry,
    name: str,
    source: str,
    text: str,
    file: str,
) -> AnnouncementEntry:
    """Add an announcement whose prompt is in ``file``; raises DirectoryRefused."""
    rules.label(name, "an announcement's name")
    if directory.called(AnnouncementEntry, name, account.account_id):
        raise DirectoryRefused(
            f"there is already an announcement {name!r} in account {account.name!r}"
        )
    id_, prompt = new_id(), new_id()
    directory.add_prompt(prompt, account.account_id, name, source, text, file)
    directory.add_destination(id_, account.account_id, "announcement", name)
    return directory.add(
        AnnouncementEntry, id_, account_id=account.account_id, name=name, prompt_id=prompt
    )


def delete_announcement(directory: DirectoryTransaction, entry: AnnouncementEntry) -> None:
    """Delete an announcement that nothing leads to, with its prompt; raises DirectoryRefused."""
    refuse_used(directory, entry.announcement_id, f"announcement {entry.name!r}", own="")
    directory.delete_destination(entry.announcement_id)
    directory.delete_prompt(entry.file)


def create_route(
    directory: DirectoryTransaction,
    account: AccountEntry,
    trunk: TrunkEntry,
    *,
    prefix: str = "",
    order: int = 10,
    strip: int = 0,
    prepend: str = "",
) -> RouteEntry:
    prefix = rules.prefixes([prefix], "--prefix") if prefix else ""
    prepend = rules.prepend(prepend)
    if len(directory.all(RouteEntry, account.account_id)) >= MOST_ROUTES:
        raise DirectoryRefused(f"an account has at most {MOST_ROUTES} outbound routes")
    return directory.add(
        RouteEntry,
        new_id(),
        account_id=account.account_id,
        trunk_id=trunk.trunk_id,
        prefix=prefix,
        order=order,
        strip=strip,
        prepend=prepend,
    )

"""Find, switch and delete entries of any kind, each by its id or its name."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TypeVar

from trunkline.directory.entries import (
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
    Switched,
    TrunkEntry,
    UserEntry,
)
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import DirectoryTransaction

AnyEntry = TypeVar("AnyEntry", bound=Entry)
AnySwitched = TypeVar("AnySwitched", bound=Switched)

WORDS: dict[type[Entry], str] = {
    AccountEntry: "account",
    AppEntry: "app",
    UserEntry: "user",
    DeviceEntry: "device",
    TrunkEntry: "trunk",
    NumberEntry: "number",
    ExtensionEntry: "extension",
    AnnouncementEntry: "announcement",
    MusicEntry: "music",
    RouteEntry: "route",
    KeyEntry: "key",
}


def new_id() -> str:
    return secrets.token_hex(16)


def find(
    directory: DirectoryTransaction, kind: type[AnyEntry], name: str, account_id: str | None = None
) -> AnyEntry:
    """The one entry with that id or name; raises DirectoryRefused for none or several."""
    word = WORDS[kind]
    found = directory.called(kind, name, account_id)
    if not found:
        raise DirectoryRefused(f"there is no {word} {name!r}: see trunkline {word} list")
    if len(found) > 1:
        raise DirectoryRefused(
            f"several are called {name!r}: say which one by its id (see trunkline {word} list)"
            + ("" if account_id else ", or name its account with --account")
        )
    return found[0]


def switch(
    directory: DirectoryTransaction, kind: type[AnySwitched], entry: AnySwitched, enabled: bool
) -> AnySwitched:
    """Enable or disable an entry; returns it as it is now."""
    id_ = entry_id(kind, entry)
    directory.switch(kind, id_, enabled)
    return directory.called(kind, id_)[0]


def delete(directory: DirectoryTransaction, kind: type[AnyEntry], entry: AnyEntry) -> None:
    """Delete an entry and what belongs to it; raises DirectoryRefused where a record would be lost."""
    if isinstance(entry, AccountEntry) and entry.held_at is not None:
        raise DirectoryRefused(
            f"account {entry.name!r} is on hold ({entry.hold_reason}), so nothing of it is deleted: "
            f"trunkline account hold {entry.name!r} --release ends that"
        )
    if isinstance(entry, AccountEntry) and directory.has_calls(entry.account_id):
        raise DirectoryRefused(
            f"account {entry.name!r} has calls in its history, which stay true: "
            f"run trunkline account disable {entry.name!r} instead"
        )
    if isinstance(entry, UserEntry):
        refuse_used(directory, entry.user_id, f"user {entry.username!r}")
        directory.delete_destination(entry.user_id)
    elif isinstance(entry, TrunkEntry) and directory.with_value(
        RouteEntry, "trunk_id", entry.trunk_id
    ):
        raise DirectoryRefused(
            f"outbound routes go by trunk {entry.name!r}: trunkline route delete each of them first"
        )
    else:
        directory.delete(kind, entry_id(kind, entry))


def entry_id(kind: type[Entry], entry: Entry) -> str:
    return str(getattr(entry, f"{WORDS[kind]}_id"))


def refuse_used(
    directory: DirectoryTransaction, destination_id: str, what: str, own: str = "extension"
) -> None:
    """Raises DirectoryRefused where anything but its own extension leads to it."""
    leading = directory.leading_to(destination_id)
    used = [each for each in leading if not (own and each.startswith(own))]
    if used:
        raise DirectoryRefused(
            f"calls go to {what} from {', '.join(used)}: delete these, or lead them elsewhere, first"
        )


def refuse_taken(found: Sequence[Entry], what: str) -> None:
    if found:
        raise DirectoryRefused(f"there is already {what}: take another one")

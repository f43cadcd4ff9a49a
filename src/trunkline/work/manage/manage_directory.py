"""Manage accounts, apps, users, devices, trunks and numbers: what may be added, and how it is named.

Each function takes the directory within a transaction, and raises DirectoryRefused. All that later reaches
Asterisk's configuration or the dialplan is checked here, once, when it is stored.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import TypeVar

from trunkline.directory import rules as rules
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.directory import (
    AccountEntry,
    AnnouncementEntry,
    AppEntry,
    DeviceEntry,
    DirectoryTransaction,
    Entry,
    ExtensionEntry,
    KeyEntry,
    NumberEntry,
    RouteEntry,
    Switched,
    TrunkEntry,
    UserEntry,
)

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


def create_account(
    directory: DirectoryTransaction,
    name: str,
    *,
    timezone: str = "UTC",
    caller_id: str | None = None,
    allow: Sequence[str] = (),
    deny: Sequence[str] = (),
    record: bool = True,
    sandbox: bool = False,
) -> AccountEntry:
    rules.label(name, "an account's name")
    _refuse_taken(directory.called(AccountEntry, name), f"an account called {name!r}")
    return directory.add(
        AccountEntry,
        new_id(),
        name=name,
        timezone=rules.timezone(timezone),
        caller_id=rules.caller_id(caller_id),
        dial_allow=rules.prefixes(allow, "--allow"),
        dial_deny=rules.prefixes(deny, "--deny"),
        record=record,
        sandbox=sandbox,
    )


def create_app(
    directory: DirectoryTransaction,
    account: AccountEntry,
    name: str = "",
    *,
    allowed_addresses: Sequence[str] = (),
    legacy_hashes: bool = True,
    read_only: bool = False,
) -> tuple[AppEntry, str]:
    """Add an app; returns it and its secret, which can never be shown again."""
    secret = secrets.token_hex(32)
    entry = directory.add(
        AppEntry,
        new_id(),
        account_id=account.account_id,
        name=rules.display_name(name),
        secret=directory.encrypted(secret),
        allowed_addresses=rules.networks(allowed_addresses, "--from"),
        legacy_hashes=legacy_hashes,
        read_only=read_only,
    )
    return entry, secret


def create_user(
    directory: DirectoryTransaction,
    account: AccountEntry,
    username: str,
    *,
    name: str = "",
    extension: str | None = None,
    caller_id: str | None = None,
) -> UserEntry:
    rules.username(username)
    _refuse_taken(
        directory.called(UserEntry, username, account.account_id),
        f"a user called {username!r} in account {account.name!r}",
    )
    name, caller_id = rules.display_name(name), rules.caller_id(caller_id)
    id_ = new_id()
    directory.add_destination(id_, account.account_id, "user", username)
    entry = directory.add(
        UserEntry,
        id_,
        account_id=account.account_id,
        username=username,
        name=name,
        caller_id=caller_id,
    )
    if extension is None:
        return entry
    create_extension(directory, account, extension, id_)
    return find(directory, UserEntry, id_)


def create_extension(
    directory: DirectoryTransaction, account: AccountEntry, number: str, destination_id: str
) -> ExtensionEntry:
    key = f"{account.account_id}:{rules.extension(number)}"
    for taken in directory.with_value(ExtensionEntry, "route_key", key):
        raise DirectoryRefused(
            f"extension {number} of account {account.name!r} leads to {taken.to}: take another one"
        )
    return directory.add(
        ExtensionEntry,
        new_id(),
        account_id=account.account_id,
        number=number,
        destination_id=destination_id,
        route_key=key,
    )


def create_device(
    directory: DirectoryTransaction,
    account: AccountEntry,
    user: UserEntry,
    sip_user: str,
    *,
    realm: str,
    password: str | None = None,
) -> tuple[DeviceEntry, str]:
    """Add a device; returns it and its SIP password, of which only the HA1 is stored.

    ``realm`` is the installation's; an account's own goes before it.
    """
    rules.sip_user(sip_user)
    taken = directory.with_value(DeviceEntry, "sip_user", sip_user)
    _refuse_taken(taken, f"a device called {sip_user!r} in this installation")
    password = secrets.token_urlsafe(15) if password is None else rules.sip_password(password)
    realm = account.realm or realm
    entry = directory.add(
        DeviceEntry,
        new_id(),
        account_id=account.account_id,
        user_id=user.user_id,
        sip_user=sip_user,
        realm=realm,
        ha1=ha1(sip_user, realm, password),
    )
    return entry, password


def ha1(sip_user: str, realm: str, password: str) -> str:
    """md5(user:realm:password), which a digest proves that one knows (RFC 2617, 3.2.2.2)."""
    text = f"{sip_user}:{realm}:{password}".encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def create_trunk(
    directory: DirectoryTransaction,
    account: AccountEntry,
    name: str,
    host: str,
    *,
    transport: str = "udp",
    auth_user: str | None = None,
    auth_password: str | None = None,
    register: bool = False,
    match: Sequence[str] = (),
    priority: int = 10,
    sandbox: bool = False,
) -> TrunkEntry:
    """Add a trunk to ``HOST:PORT``."""
    rules.label(name, "a trunk's name")
    _refuse_taken(
        directory.called(TrunkEntry, name, account.account_id),
        f"a trunk called {name!r} in account {account.name!r}",
    )
    if account.sandbox and not sandbox:
        raise DirectoryRefused(
            f"account {account.name!r} is a sandbox account, and those reach no real trunk: "
            "make another account with trunkline account create"
        )
    rules.credentials(auth_user, auth_password, register)
    rules.transport(transport)
    address, port = rules.host_and_port(host, 5061 if transport == "tls" else 5060)
    return directory.add(
        TrunkEntry,
        new_id(),
        account_id=account.account_id,
        name=name,
        host=address,
        port=port,
        transport=transport,
        auth_user=auth_user,
        auth_password=None if auth_password is None else directory.encrypted(auth_password),
        register=register,
        match=rules.networks(match, "--match"),
        priority=priority,
        sandbox=sandbox,
    )


def accounts_at_the_same_address(directory: DirectoryTransaction, trunk: TrunkEntry) -> list[str]:
    """The names of other accounts whose trunks take calls from an address of this trunk.

    A carrier is known by its address alone, so Asterisk takes a call from a shared address for any of
    these accounts. Networks are compared as they are written.
    """
    own = set(trunk.match or [trunk.host])
    others = {
        other.account_id
        for other in directory.all(TrunkEntry)
        if other.account_id != trunk.account_id and own & set(other.match or [other.host])
    }
    return [account.name for account in directory.all(AccountEntry) if account.account_id in others]


def create_number(
    directory: DirectoryTransaction, account: AccountEntry, did: str, destination_id: str
) -> NumberEntry:
    did = rules.did(did)
    key = f"{account.account_id}:{did.removeprefix('+')}"
    _refuse_taken(
        directory.with_value(NumberEntry, "route_key", key),
        f"the number {did} in account {account.name!r}",
    )
    return directory.add(
        NumberEntry,
        new_id(),
        account_id=account.account_id,
        destination_id=destination_id,
        did=did,
        route_key=key,
    )


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


def _refuse_taken(found: Sequence[Entry], what: str) -> None:
    if found:
        raise DirectoryRefused(f"there is already {what}: take another one")

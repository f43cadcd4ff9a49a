"""Add users, with their extensions."""

from __future__ import annotations

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
    UserEntry,
)
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import find, new_id, refuse_taken
from trunkline.work.manage.extensions import create_extension


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
    refuse_taken(
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

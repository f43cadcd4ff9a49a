"""Add extensions."""

from __future__ import annotations

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
    ExtensionEntry,
)
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.emergency import refuse_hidden
from trunkline.work.manage.entries import new_id


def create_extension(
    directory: DirectoryTransaction, account: AccountEntry, number: str, destination_id: str
) -> ExtensionEntry:
    refuse_hidden(account, number)
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

"""Add numbers (DIDs)."""

from __future__ import annotations

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
    NumberEntry,
)
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import new_id, refuse_taken


def create_number(
    directory: DirectoryTransaction, account: AccountEntry, did: str, destination_id: str
) -> NumberEntry:
    did = rules.did(did)
    key = f"{account.account_id}:{did.removeprefix('+')}"
    refuse_taken(
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

"""Add accounts."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
)
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import new_id, refuse_taken


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
    refuse_taken(directory.called(AccountEntry, name), f"an account called {name!r}")
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

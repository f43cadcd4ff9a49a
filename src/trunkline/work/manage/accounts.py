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
    recording_format: str = "mp3",
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
        recording_format=rules.recording_format(recording_format),
        sandbox=sandbox,
    )


def set_account(
    directory: DirectoryTransaction, account: AccountEntry, *, recording_format: str | None = None
) -> AccountEntry:
    """Change what is given of an account; returns it as it is then. Raises DirectoryRefused."""
    if recording_format is None:
        raise rules.DirectoryRefused("say what to change: --recording-format mp3, wav or opus")
    return directory.change(
        AccountEntry, account.account_id, recording_format=rules.recording_format(recording_format)
    )

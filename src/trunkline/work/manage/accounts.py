"""Add accounts."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
)
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.emergency import changed, columns
from trunkline.work.manage.entries import new_id, refuse_taken
from trunkline.work.manage.limits import limits


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
    max_calls: str | None = None,
    max_rate: str | None = None,
    country: str | None = None,
    emergency: Sequence[str] = (),
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
        **limits(max_calls, max_rate),
        **columns(country, emergency),
    )


def set_account(
    directory: DirectoryTransaction,
    account: AccountEntry,
    *,
    recording_format: str | None = None,
    max_calls: str | None = None,
    max_rate: str | None = None,
    country: str | None = None,
    emergency: Sequence[str] | None = None,
) -> AccountEntry:
    """Change what is given of an account; returns it as it is then. Raises DirectoryRefused."""
    wanted: dict[str, object] = {**limits(max_calls, max_rate)}
    if recording_format is not None:
        wanted["recording_format"] = rules.recording_format(recording_format)
    if country is not None or emergency is not None:
        wanted |= changed(directory, account, country, emergency)
    if not wanted:
        raise rules.DirectoryRefused(
            "say what to change: --recording-format mp3, wav or opus; --max-calls or --max-rate; "
            "--country or --emergency-numbers"
        )
    return directory.change(AccountEntry, account.account_id, **wanted)

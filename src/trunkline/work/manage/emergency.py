"""An account's emergency numbers: what is stored of them, and that no extension hides one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from trunkline.directory import rules
from trunkline.directory.entries import AccountEntry, ExtensionEntry
from trunkline.directory.rules import DirectoryRefused
from trunkline.routing.emergency import emergency_numbers
from trunkline.store.managed_directory import DirectoryTransaction


class Columns(TypedDict):
    """An account's, as they are stored."""

    country: str | None
    emergency_listed: str
    emergency_numbers: str


def columns(country: str | None, listed: Sequence[str]) -> Columns:
    """From what was typed; raises DirectoryRefused."""
    code = None if country is None else rules.country(country)
    own = rules.emergency(listed)
    return Columns(
        country=code,
        emergency_listed=",".join(own),
        emergency_numbers=",".join(emergency_numbers(code, own)),
    )


def changed(
    directory: DirectoryTransaction,
    account: AccountEntry,
    country: str | None,
    listed: Sequence[str] | None,
) -> Columns:
    """What is given anew of an account's, None not; raises DirectoryRefused where an extension would hide one."""
    now = columns(
        country if country is not None else account.country,
        account.emergency_listed if listed is None else listed,
    )
    new = set(now["emergency_numbers"].split(",")) - set(account.emergency_numbers)
    for extension in directory.all(ExtensionEntry, account.account_id):
        if extension.number in new:
            raise DirectoryRefused(
                f"extension {extension.number} of account {account.name!r} leads to {extension.to}, and would hide "
                "that emergency number: give that another extension, and delete this one, first"
            )
    return now


def refuse_hidden(account: AccountEntry, number: str) -> None:
    """Raises DirectoryRefused where an extension would hide an emergency number of the account."""
    if number in account.emergency_numbers:
        raise DirectoryRefused(
            f"{number} is an emergency number of account {account.name!r} ({', '.join(account.emergency_numbers)}), "
            "and an extension would hide it: take another one"
        )

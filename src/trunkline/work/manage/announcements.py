"""Add and delete announcements."""

from __future__ import annotations

from trunkline.directory import rules
from trunkline.directory.entries import (
    AccountEntry,
    AnnouncementEntry,
)
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import new_id, refuse_used


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

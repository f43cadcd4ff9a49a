"""Add music for who is held, say which is heard, and delete it; music_files.py makes its files."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from trunkline.directory import rules
from trunkline.directory.entries import AccountEntry, MusicEntry
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import DirectoryTransaction
from trunkline.work.manage.entries import find, refuse_taken

DEFAULT = "default"
"""The name of what is heard without music of one's own."""
_DELETED = "deleted"


def refuse_music(directory: DirectoryTransaction, account: AccountEntry, name: str) -> None:
    """Raises DirectoryRefused for a name that the account's next music cannot have."""
    rules.label(name, "the name of music")
    if name == DEFAULT:
        raise DirectoryRefused(f"{DEFAULT!r} is the music that is there already: take another name")
    known = directory.called(MusicEntry, name, account.account_id)
    refuse_taken(known, f"music {name!r} in account {account.name!r}")


def create_music(
    directory: DirectoryTransaction, account: AccountEntry, name: str, music_id: str, seconds: int
) -> MusicEntry:
    """Add music, which is heard from now on; its files are under its id. Raises DirectoryRefused."""
    refuse_music(directory, account, name)
    whose = {"account_id": account.account_id, "name": name}
    directory.add(MusicEntry, music_id, seconds=seconds, **whose)
    directory.use_music(account.account_id, music_id)
    return directory.called(MusicEntry, music_id)[0]


def use_music(
    directory: DirectoryTransaction, account: AccountEntry, name: str
) -> MusicEntry | None:
    """Have other music heard; gives it, None for the default. Raises DirectoryRefused."""
    if name == DEFAULT:
        directory.use_music(account.account_id, None)
        return None
    music = find(directory, MusicEntry, name, account.account_id)
    directory.use_music(account.account_id, music.music_id)
    return directory.called(MusicEntry, music.music_id)[0]


def forget(folder: Path) -> None:
    """Have the files go once nobody can hear them any more: who is held now hears them to the end."""
    if folder.is_dir():
        (folder / _DELETED).touch(mode=0o600)


def remove_forgotten(music: Path, after: float) -> int:
    """Remove what was forgotten so many seconds ago; gives how much that was."""
    removed = 0
    for mark in music.glob(f"*/{_DELETED}"):
        if time.time() - mark.stat().st_mtime >= after:
            shutil.rmtree(mark.parent, ignore_errors=True)
            removed += 1
    return removed

"""Restores a backup into an empty data directory, after every file of it has been verified."""

from __future__ import annotations

import os
import secrets
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from trunkline.backups import manifest as m
from trunkline.backups.manifest import BackupUnusable, Manifest
from trunkline.backups.writing import copy_file, make_folder, newest, sync

_STAGE = ".restoring-"
_ABOUT = frozenset({m.MANIFEST, m.SIGNATURE, m.LIST})
Check = Callable[[Path], bytes | None]
"""Is given a folder with the files in place; verifies database and key, or raises; returns the signing key."""
Load = Callable[[Path], None]
"""Is given the same folder once all of it is verified; moves out what belongs elsewhere, or raises."""


def restore(source: Path, data: Path, key: Path | None, check: Check, load: Load) -> Manifest:
    """Restore a backup (a folder, the newest in a folder, or a tar) into an empty data directory.

    Every file is verified against the manifest, and the manifest against the key, before anything
    stands where a server would look. ``key`` is a secret.key that the backup does not hold. Raises
    BackupUnusable, and leaves the directory as it was.
    """
    _refuse_full(data)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    staging = data / f"{_STAGE}{secrets.token_hex(8)}"
    staging.mkdir(mode=0o700)
    try:
        made = _bring(source, staging)
        if key is not None and not made.has_key:
            copy_file(m.KEY, key, staging / m.KEY)
        signing_key = check(staging)
        m.read_manifest(staging, signing_key)
        for about in _ABOUT:
            (staging / about).unlink(missing_ok=True)
        load(staging)
        _put_in_place(staging, data)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return made


def _refuse_full(data: Path) -> None:
    if not data.exists():
        return
    if not data.is_dir():
        raise BackupUnusable(f"{data} is no directory")
    found = sorted(each.name for each in data.iterdir())
    if found and all(name.startswith(_STAGE) for name in found):
        raise BackupUnusable(f"a restore into {data} was broken off: remove {found[0]} in it first")
    if found:
        raise BackupUnusable(
            f"{data} is not empty ({found[0]}): a backup is restored into a new data directory"
        )


def _bring(source: Path, staging: Path) -> Manifest:
    if source.is_file():
        _unpack(source, staging)
        made = m.read_manifest(staging, None)
        _verify(staging)
        return made
    folder = source if (source / m.MANIFEST).exists() else newest(source)
    if folder is None:
        raise BackupUnusable(f"there is no backup in {source}")
    for about in _ABOUT & {each.name for each in folder.iterdir()}:
        copy_file(about, folder / about, staging / about)
    made = m.read_manifest(staging, None)
    _copy(folder, staging)
    return made


def _copy(folder: Path, staging: Path) -> None:
    for entry in m.entries(staging):
        target = staging / entry.path
        make_folder(target.parent)
        try:
            copied = copy_file(entry.path, folder / entry.path, target)
        except FileNotFoundError as error:
            raise BackupUnusable(f"{folder / entry.path} is missing in the backup") from error
        if (copied.bytes, copied.sha256) != (entry.bytes, entry.sha256):
            raise BackupUnusable(f"{folder / entry.path} was altered after the backup was made")


def _unpack(file: Path, staging: Path) -> None:
    """Only files that a backup may have, and no links: anybody can make a tar."""
    try:
        with tarfile.open(file) as tar:
            for info in tar:
                if not info.isreg() or not (info.name in _ABOUT or m.is_allowed(info.name)):
                    raise BackupUnusable(f"{file} holds {info.name!r}, which no backup does")
                target = staging / info.name
                make_folder(target.parent)
                opened = tar.extractfile(info)
                assert opened is not None  # it is a regular file
                with open(target, "xb", opener=_private) as out:
                    shutil.copyfileobj(opened, out, 1 << 20)
                    out.flush()
                    os.fsync(out.fileno())
    except (tarfile.TarError, EOFError, FileExistsError) as error:
        raise BackupUnusable(f"{file} is no whole backup: {error}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _verify(staging: Path) -> None:
    """Every listed file is there as it was, and no other file is."""
    listed = 0
    for entry in m.entries(staging):
        listed += 1
        if m.sha256(staging / entry.path) != entry.sha256:
            raise BackupUnusable(f"{entry.path} was altered after the backup was made")
    there = sum(len(files) for _, _, files in os.walk(staging)) - len(_ABOUT)
    if there != listed:
        raise BackupUnusable(f"the backup holds {there} files and lists {listed}")


def _put_in_place(staging: Path, data: Path) -> None:
    """The database comes last: without it there is nothing to start on."""
    for folder, _, _ in os.walk(staging):
        sync(Path(folder))
    found = sorted(staging.iterdir(), key=lambda each: each.name == m.DATABASE)
    for each in found:
        each.rename(data / each.name)
    staging.rmdir()
    sync(data)

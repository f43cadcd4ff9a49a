"""Writes a backup: all of a data directory that cannot be made again, as a folder or a tar.

The order matters while a server runs: the database first, then raw audio, then recordings. So every
recording that is done in the database has its file, and audio that was encoded meanwhile is found
as the recording that it became.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from filelock import FileLock, Timeout

from trunkline.backups import manifest as m
from trunkline.backups.manifest import BackupUnusable, FileEntry, Manifest

_PIECE = 1 << 20
_PARTIAL = ".partial-"


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into a backup, and what its manifest says.

    ``copy_database`` writes and verifies a copy, which goes in as ``database``.
    """

    data: Path
    database: str = m.DATABASE
    copy_database: Callable[[Path], None]
    signing_key: bytes
    trunkline: str
    schema: str
    made_at: str
    with_key: bool = True
    with_recordings: bool = True
    not_copied: Sequence[str] = ()


class _Sink(Protocol):
    def add(self, path: str, source: Path) -> FileEntry: ...

    def write(self, path: str, content: bytes) -> None: ...


def write_folder(contents: Contents, folder: Path, name: str) -> tuple[Path, Manifest]:
    """A backup under a name in the folder, where it appears whole or not at all.

    Recordings that the newest backup in the folder already has are linked, not copied. Raises
    BackupUnusable, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        _clear(folder)
        previous = newest(folder)
        staging = folder / f"{_PARTIAL}{secrets.token_hex(8)}"
        staging.mkdir(mode=0o700)
        try:
            copy = staging / contents.database
            contents.copy_database(copy)
            made = _fill(contents, _Folder(staging, previous), copy)
            _sync_folders(staging)
            final = _unused(folder / name)
            staging.rename(final)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        sync(folder)
    return final, made


def write_tar(contents: Contents, file: Path) -> Manifest:
    """A backup as one tar, which appears whole or not at all; raises BackupUnusable, OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}{_PARTIAL}{secrets.token_hex(8)}")
    copy = partial.with_name(f"{partial.name}.db")
    with _locked(file.with_name(f".{file.name}.lock")):
        _clear(file.parent, f".{file.name}{_PARTIAL}")
        try:
            contents.copy_database(copy)
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "wb") as out:
                with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                    made = _fill(contents, _Tar(tar), copy)
                out.flush()
                os.fsync(out.fileno())
            partial.rename(file)
        finally:
            copy.unlink(missing_ok=True)
            partial.unlink(missing_ok=True)
    sync(file.parent)
    return made


def newest(folder: Path) -> Path | None:
    """The last whole backup in a folder of backups; names are times, so it is the greatest."""
    whole = (each.parent for each in folder.glob(f"[!.]*/{m.MANIFEST}"))
    return max(whole, key=lambda each: each.name, default=None)


def _fill(contents: Contents, sink: _Sink, database: Path) -> Manifest:
    """Put everything into the sink, the manifest last."""
    listed, count, size = hashlib.sha256(), 0, 0
    lines = io.BytesIO()
    for path, source in _files(contents, database):
        try:
            line = msgspec.json.encode(entry := sink.add(path, source)) + b"\n"
        except FileNotFoundError:
            if path in (contents.database, m.KEY):
                raise
            continue  # encoded, or deleted, since it was listed
        lines.write(line)
        listed.update(line)
        count, size = count + 1, size + entry.bytes
    sink.write(m.LIST, lines.getvalue())
    made = Manifest(
        format=m.FORMAT,
        trunkline=contents.trunkline,
        schema=contents.schema,
        made_at=contents.made_at,
        has_key=contents.with_key,
        has_recordings=contents.with_recordings,
        files=count,
        bytes=size,
        list_sha256=listed.hexdigest(),
        not_copied=list(contents.not_copied),
    )
    raw = msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
    sink.write(m.SIGNATURE, m.sign(raw, contents.signing_key).encode() + b"\n")
    sink.write(m.MANIFEST, raw)
    return made


def _files(contents: Contents, database: Path) -> Iterator[tuple[str, Path]]:
    """What to take, by kind and then by name; each kind is listed when its turn comes."""
    data = contents.data
    yield contents.database, database
    if contents.with_key:
        yield m.KEY, data / m.KEY
    yield m.SETTINGS, data / m.SETTINGS
    yield from ((path, data / path) for path in _listed(data, m.PROMPTS))
    for folder in sorted((data / m.MUSIC).glob("[!.]*")):
        if not (folder / m.DELETED).exists():
            its = _listed(data, f"{m.MUSIC}/{folder.name}")
            yield from ((path, data / path) for path in its)
    if contents.with_recordings:
        for kind in (m.WAITING, m.RECORDINGS):
            yield from ((path, data / path) for path in _listed(data, kind))


def _listed(data: Path, kind: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError), os.scandir(data / kind) as found:
        paths = (f"{kind}/{each.name}" for each in found if each.is_file(follow_symlinks=False))
        return sorted(path for path in paths if m.is_allowed(path))
    return []


class _Folder:
    """Files in a folder; a file that an earlier backup already has becomes a link to that one."""

    def __init__(self, root: Path, previous: Path | None) -> None:
        self._root, self._previous = root, previous
        self._known = iter(()) if previous is None else m.entries(previous)
        self._next = next(self._known, None)

    def add(self, path: str, source: Path) -> FileEntry:
        target = self._root / path
        if path in m.DATABASES:  # it was written here
            stat = target.stat()
            return FileEntry(path, stat.st_size, m.sha256(target), stat.st_mtime_ns)
        make_folder(target.parent)
        return self._linked(path, source, target) or copy_file(path, source, target)

    def write(self, path: str, content: bytes) -> None:
        write_file(self._root / path, content)

    def _linked(self, path: str, source: Path, target: Path) -> FileEntry | None:
        """Recordings are never changed: one of the same size and time is the same."""
        known, stat = self._known_as(path), source.stat()
        if known is None or self._previous is None:
            return None
        if (known.bytes, known.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            return None
        with contextlib.suppress(OSError):  # another file system, too many links, or gone
            os.link(self._previous / path, target)
            if target.stat().st_size == known.bytes:
                return known
            target.unlink()
        return None

    def _known_as(self, path: str) -> FileEntry | None:
        """The previous backup's entry; both lists go through recordings in the same order."""
        if not path.startswith(f"{m.RECORDINGS}/"):
            return None
        while self._next is not None and (
            not self._next.path.startswith(f"{m.RECORDINGS}/") or self._next.path < path
        ):
            self._next = next(self._known, None)
        return self._next if self._next is not None and self._next.path == path else None


class _Tar:
    """Files in a tar, each hashed as it goes in."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, path: str, source: Path) -> FileEntry:
        with source.open("rb") as opened:
            stat = os.fstat(opened.fileno())
            info = self._info(path, stat.st_size)
            info.mtime = stat.st_mtime_ns // 1_000_000_000
            hashing = _Hashing(opened)
            self._tar.addfile(info, hashing)
        return FileEntry(path, stat.st_size, hashing.digest.hexdigest(), stat.st_mtime_ns)

    def write(self, path: str, content: bytes) -> None:
        self._tar.addfile(self._info(path, len(content)), io.BytesIO(content))

    @staticmethod
    def _info(path: str, size: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(path)
        info.size, info.mode = size, 0o600
        return info


class _Hashing(io.RawIOBase):
    def __init__(self, opened: BinaryIO) -> None:
        self._opened = opened
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._opened.read(size)
        self.digest.update(piece)
        return piece


def copy_file(path: str, source: Path, target: Path) -> FileEntry:
    """Copy for the owner only, on the disk when it returns; the time of change is kept."""
    digest, size = hashlib.sha256(), 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as out, source.open("rb") as opened:
            stat = os.fstat(opened.fileno())
            while piece := opened.read(_PIECE):
                digest.update(piece)
                size += out.write(piece)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return FileEntry(path, size, digest.hexdigest(), stat.st_mtime_ns)


def write_file(target: Path, content: bytes) -> None:
    """A new file for the owner only, on the disk when it returns."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def make_folder(folder: Path) -> None:
    """A folder for its owner only, and those above it (``parents=True`` would make them for everybody)."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def sync(folder: Path) -> None:
    """Returns once the folder's entries are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        sync(Path(folder))


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[None]:
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout:
        raise BackupUnusable(f"another backup is being written there ({lock} is held)") from None


def _clear(folder: Path, prefix: str = _PARTIAL) -> None:
    """Remove what killed backups have left; nobody else writes here now."""
    for left in folder.glob(f"{prefix}*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def _unused(path: Path) -> Path:
    n = 1
    while (found := path if n == 1 else path.with_name(f"{path.name}-{n}")).exists():
        n += 1
    return found

"""Which Asterisk to run: a given one, an installed one, or one fetched into the user's cache.

A fetched engine is unpacked beside its place, and renamed into it when it has shown its version,
so what ``find`` sees is whole. See ``docs/decisions/0002-engine-from-debian.md``.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock, Timeout

from trunkline.engine.install import contents, packages, recorder
from trunkline.engine.install.installed import Installed
from trunkline.engine.install.packages import OLDEST, EngineInstallError, Progress, Source

__all__ = [
    "EngineInstallError",
    "Installed",
    "Progress",
    "Source",
    "Status",
    "find",
    "install",
    "remove",
    "status",
]

NEEDED = (
    "chan_pjsip.so",
    "pbx_config.so",
    "res_ari.so",
    "res_config_sqlite3.so",
)
"""The modules that we cannot do without; distributions split or leave out some."""

PACKAGES = ("asterisk", "asterisk-dev", "asterisk-moh-opsound-gsm")
"""What is fetched: the engine, its headers for our recorder, and music for who is held."""
ANYWHERE = Source()
_FILLED = "~3"
"""Ends the name of a fetched engine's folder; counted up when more is unpacked into it than before."""
_LOADERS = ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")


class Status(msgspec.Struct, frozen=True):
    """The engine that would be run, and the fetched ones in the cache with their size in bytes."""

    engine: Installed | None
    fetched: tuple[Path, ...]
    bytes: int


def find(cache: Path, prefix: str = "", more: Sequence[str] = ()) -> Installed | None:
    """The Asterisk to run: the one in ``prefix``, else an installed one, else a fetched one.

    It has the modules ``more``, too. None when there is none; raises EngineInstallError when
    ``prefix`` is given and of no use.
    """
    if prefix:
        return _given(Path(prefix).expanduser().absolute(), more)
    return next((one for one in (_system(), *_private(cache)) if one and _has(one, more)), None)


def _has(engine: Installed, modules: Iterable[str]) -> bool:
    return all((engine.modules / name).is_file() for name in modules)


def _given(root: Path, more: Sequence[str]) -> Installed:
    found = _unpacked(root, "given") or _plain(root / "sbin" / "asterisk", root, "given")
    if found is None or not _has(found, more):
        raise EngineInstallError(
            f"engine_prefix: {root} has no Asterisk {OLDEST} or later with"
            f" {', '.join((*NEEDED, *more))} and its own headers (asterisk-dev): correct it, or leave it"
            " empty to have one fetched"
        )
    return found


def _system() -> Installed | None:
    path = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", os.defpath))
    binary = shutil.which("asterisk") or shutil.which("asterisk", path=path)
    if binary is None:
        return None
    return _plain(Path(binary), Path(binary).parent.parent, "system")


def _private(cache: Path) -> Iterator[Installed]:
    for root in reversed(_roots(cache)):
        found = _unpacked(root, "private")
        if found is not None:
            yield found


def _roots(cache: Path) -> list[Path]:
    places = (cache / "engine").glob("[0-9]*")
    return sorted((p for p in places if p.is_dir() and p.suffix != ".partial"), key=_order)


def _order(root: Path) -> tuple[tuple[int, ...], float]:
    return tuple(int(part) for part in re.findall(r"\d+", root.name)), root.stat().st_mtime


def _unpacked(root: Path, origin: Literal["private", "given"]) -> Installed | None:
    """Packages unpacked in ``root``, run by their own loader on their own libraries."""
    for loader in (f for name in _LOADERS for f in root.glob(f"usr/lib/*-linux-gnu/{name}")):
        command = (
            str(loader),
            "--library-path",
            str(loader.parent),
            str(root / "usr/sbin/asterisk"),
        )
        return _usable(command, root / "usr", origin, root)
    return _plain(root / "usr/sbin/asterisk", root / "usr", origin)


def _plain(
    binary: Path, base: Path, origin: Literal["system", "private", "given"]
) -> Installed | None:
    if not os.access(binary, os.X_OK):
        return None
    return _usable((str(binary),), base, origin, None)


def _usable(
    command: tuple[str, ...],
    base: Path,
    origin: Literal["system", "private", "given"],
    root: Path | None,
) -> Installed | None:
    version = _version(command)
    modules = _first(*base.glob("lib/*-linux-gnu/asterisk/modules"), base / "lib/asterisk/modules", base / "lib64/asterisk/modules")  # fmt: skip
    share = _first(base / "share/asterisk", base / "var/lib/asterisk", Path("/var/lib/asterisk"))
    if version is None or _number(version) < _number(OLDEST) or modules is None or share is None:
        return None
    headers = base / "include"
    made = Installed(version, command, modules, share, headers, origin, root)
    return made if _has(made, NEEDED) and recorder.fits(headers, modules) else None


def _first(*places: Path) -> Path | None:
    return next((place for place in places if place.is_dir()), None)


def _version(command: tuple[str, ...]) -> str | None:
    """``22.10.1``; None when the command does not run, or does not say."""
    try:
        done = subprocess.run([*command, "-V"], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.search(rb"Asterisk (?:certified[/-])?(\d+(?:\.\d+)+)", done.stdout)
    return said[1].decode() if said and done.returncode == 0 else None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def install(
    cache: Path,
    source: Source = ANYWHERE,
    *,
    upgrade: bool = False,
    more: Sequence[str] = (),
) -> Installed:
    """Fetch Asterisk into the cache; keeps one that is there already, unless ``upgrade``.

    ``more`` are modules that it has to have, too.

    Waits for another install on the same cache to end. Blocks for seconds to minutes. Raises
    EngineInstallError; what was downloaded is then kept for the next try.
    """
    place = cache / "engine"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with _locked(place, source.progress):
            there = (one for one in _private(cache) if not upgrade and _has(one, more))
            found = next(there, None) or _install(place, source)
    except OSError as error:
        raise EngineInstallError(_disk(error, place)) from error
    if not _has(found, more):
        raise EngineInstallError(
            f"{source.suite} has an Asterisk {found.version} without {', '.join(more)}: set engine_suite, or"
            " engine_prefix to one that has them"
        )
    return found


def with_recorder(engine: Installed, cache: Path, source: Source = ANYWHERE) -> Installed:
    """The engine with our own modules among its own; they are compiled when they are not there yet.

    Without a compiler on this machine, Debian's is fetched for that. Raises EngineInstallError.
    """
    place = cache / "engine"
    with ExitStack() as held:
        fetched: list[recorder.Toolchain] = []

        def compiler(code: Path, include: Path, module: Path) -> None:
            try:
                recorder.by_machine(code, include, module)
            except recorder.NoCompiler:
                if engine.origin == "system":
                    raise
                if not fetched:
                    fetched.append(held.enter_context(_toolchain(place, source)))
                fetched[0](code, include, module)

        try:
            (place / "modules").mkdir(parents=True, exist_ok=True)
            with _locked(place, source.progress):
                return recorder.with_recorder(engine, place / "modules", compiler, source.progress)
        except OSError as error:
            raise EngineInstallError(_disk(error, place)) from error


@contextmanager
def _toolchain(place: Path, source: Source) -> Iterator[recorder.Toolchain]:
    """Debian's C compiler, for as long as this lasts."""
    fetched = packages.fetch(place / "download", ("gcc", "libc6-dev"), source)
    root = place / "toolchain.partial"
    shutil.rmtree(root, ignore_errors=True)
    try:
        packages.unpack(fetched.packages, root, source.progress)
        yield recorder.Toolchain(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(place / "download", ignore_errors=True)


@contextmanager
def _locked(place: Path, progress: Progress) -> Iterator[None]:
    """Hold the cache's lock, and say so when another install has to end first."""
    lock = FileLock(place / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        progress("waiting for another install", None)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _disk(error: OSError, place: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {place} is full: make room, or point XDG_CACHE_HOME to another disk"
    return (
        f"{error.filename or place}: {error.strerror}: mend it, or point XDG_CACHE_HOME elsewhere"
    )


def _install(place: Path, source: Source) -> Installed:
    packages.architecture()
    packages.keyring()
    download = place / "download"
    fetched = packages.fetch(download, PACKAGES, source)
    root = place / f"{fetched.version}{_FILLED}"
    if not root.exists():
        _unpack(fetched, root, source.progress)
    shutil.rmtree(download, ignore_errors=True)
    return _proven(root, root)


def _unpack(fetched: packages.Fetched, root: Path, progress: Progress) -> None:
    partial = root.with_name(f"{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    packages.unpack(fetched.packages, partial, progress)
    contents.note(partial, fetched.packages)
    progress("checking", None)
    _proven(partial, root)
    os.sync()  # a power cut after the rename must not leave a whole name with empty files
    partial.rename(root)


def _proven(root: Path, name: Path) -> Installed:
    found = _unpacked(root, "private")
    if found is None:
        raise EngineInstallError(
            f"what was fetched as {name.name} is no Asterisk {OLDEST} or later that"
            " runs here with all that is needed: set engine_suite, or install Asterisk yourself"
        )
    return found


def remove(cache: Path) -> int:
    """Delete every fetched engine and download; returns the number of bytes that this freed.

    Raises EngineInstallError when one is running.
    """
    place = cache / "engine"
    if not place.is_dir():
        return 0
    with FileLock(place / "lock"):
        for root in _roots(cache):
            _refuse_running(root)
        freed = _size(place)
        for entry in [e for e in place.iterdir() if e.is_dir()]:
            _delete(entry)
    return freed


def _delete(entry: Path) -> None:
    """Rename first, so that a delete cut short leaves nothing that ``find`` would take."""
    partial = entry.with_name(f"{entry.name.removesuffix('.partial')}.partial")
    if entry != partial:
        shutil.rmtree(partial, ignore_errors=True)
        entry.rename(partial)
    shutil.rmtree(partial, ignore_errors=True)


def _refuse_running(root: Path) -> None:
    inside = os.fsencode(f"{root}/")
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            used = any(word.startswith(inside) for word in entry.read_bytes().split(b"\0"))
        except OSError:
            continue
        if used:
            raise EngineInstallError(
                f"the engine in {root} is running (process {entry.parent.name}): stop trunkline first"
            )


def _size(place: Path) -> int:
    return sum(f.lstat().st_size for f in place.rglob("*") if f.is_file() and not f.is_symlink())


def status(cache: Path, prefix: str = "", more: Sequence[str] = ()) -> Status:
    """What ``find`` finds, and what the cache holds; raises as ``find`` does."""
    roots = tuple(_roots(cache))
    return Status(find(cache, prefix, more), roots, sum(map(_size, roots)))

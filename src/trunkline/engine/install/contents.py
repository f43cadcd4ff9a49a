"""Which of Debian's packages a fetched engine was unpacked from: noted beside it, for its bill of materials."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import msgspec

_FILE = "packages.json"


class Package(msgspec.Struct, frozen=True):
    """One package, by the names that Debian's archive has for it, and the digest that its index signs."""

    name: str
    version: str
    architecture: str
    sha256: str


def note(root: Path, archives: Iterable[Path]) -> None:
    packages = sorted(map(_package, archives), key=lambda each: each.name)
    (root / _FILE).write_bytes(msgspec.json.format(msgspec.json.encode(packages)))


def read(root: Path) -> tuple[Package, ...]:
    """Nothing, where the engine was fetched before they were noted, or by somebody else."""
    try:
        return msgspec.json.decode((root / _FILE).read_bytes(), type=tuple[Package, ...])
    except (OSError, msgspec.DecodeError):
        return ()


def _package(archive: Path) -> Package:
    # apt writes NAME_VERSION_ARCHITECTURE.deb, with %3a for the colon of an epoch.
    name, version, architecture = archive.stem.split("_")
    with archive.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Package(name, unquote(version), architecture, digest)

"""A backup's manifest, signed under the installation's key, and the list of its files."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

FORMAT = 1
MANIFEST, SIGNATURE, LIST = "manifest.json", "manifest.hmac", "files.jsonl"
DATABASE, KEY, SETTINGS = "trunkline.db", "secret.key", "trunkline.toml"
DUMP = "trunkline.pgdump"
DATABASES = (DATABASE, DUMP)
"""SQLite's file, or what pg_dump wrote: a backup has one of them."""
RECORDINGS, WAITING, PROMPTS, MUSIC = "recordings", "engine/spool/done", "prompts", "music"
DELETED = "deleted"
"""The mark of music that only goes on for who hears it now (work/manage/music.py)."""
PURPOSE = "backup manifest"
"""The purpose for which the signing key is derived."""

_PLAIN = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
_PATH = re.compile(
    rf"{re.escape(DATABASE)}|{re.escape(DUMP)}|{re.escape(KEY)}|{re.escape(SETTINGS)}|"
    rf"{RECORDINGS}/{_PLAIN}\.(mp3|wav|opus)(\.peaks\.json)?|{WAITING}/{_PLAIN}\.(leg|raw)|"
    rf"{PROMPTS}/{_PLAIN}\.sln(16)?|{MUSIC}/{_PLAIN}/music\.(ulaw|alaw|g722)"
)


class BackupUnusable(Exception):
    """A backup cannot be made, or is not as it was when it was made; the message says why."""


class FileEntry(msgspec.Struct, frozen=True):
    """One file of a backup. ``path`` is within the data directory; ``mtime_ns`` is the original's."""

    path: str
    bytes: int
    sha256: str
    mtime_ns: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The backup as a whole. ``made_at`` is RFC 3339; ``not_copied`` names files that are kept elsewhere."""

    format: int
    trunkline: str
    schema: str
    made_at: str
    has_key: bool
    has_recordings: bool
    files: int
    bytes: int
    list_sha256: str
    not_copied: list[str] = []


def is_allowed(path: str) -> bool:
    """May a backup have a file of that path? No other file is ever written to a data directory."""
    return _PATH.fullmatch(path) is not None


def sign(manifest: bytes, key: bytes) -> str:
    return hmac.new(key, manifest, hashlib.sha256).hexdigest()


def read_manifest(folder: Path, key: bytes | None) -> Manifest:
    """A backup's manifest. Its signature is checked if there is a key. Raises BackupUnusable."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        found = msgspec.json.decode(raw, type=Manifest)
        if key is not None:
            _check_signature(folder, raw, key)
    except (FileNotFoundError, msgspec.MsgspecError) as error:
        raise BackupUnusable(f"{folder} is no whole backup: {error}") from error
    if found.format != FORMAT:
        raise BackupUnusable(f"{folder} has format {found.format}: use the Trunkline that made it")
    if sha256(folder / LIST) != found.list_sha256:
        raise BackupUnusable(f"{folder / LIST} was altered after the backup was made")
    return found


def _check_signature(folder: Path, raw: bytes, key: bytes) -> None:
    said = (folder / SIGNATURE).read_text(errors="replace").strip()
    if not hmac.compare_digest(said.encode(), sign(raw, key).encode()):
        raise BackupUnusable(
            f"{folder / MANIFEST} was altered after the backup was made, or made under another key"
        )


def entries(folder: Path) -> Iterator[FileEntry]:
    """The files that a backup lists, by path; raises BackupUnusable."""
    decode = msgspec.json.Decoder(FileEntry).decode
    try:
        with (folder / LIST).open("rb") as lines:
            for line in lines:
                entry = decode(line)
                if not is_allowed(entry.path):
                    raise BackupUnusable(f"the backup lists {entry.path!r}, which none holds")
                yield entry
    except (FileNotFoundError, msgspec.MsgspecError) as error:
        raise BackupUnusable(f"{folder / LIST} cannot be read: {error}") from error


def sha256(file: Path) -> str:
    """A file's SHA-256, hex; raises BackupUnusable where there is no file."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise BackupUnusable(f"{file} is missing") from error

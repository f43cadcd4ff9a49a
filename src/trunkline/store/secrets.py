"""The installation's one secret: a key file, and what is encrypted or signed under it.

The file holds 32 random bytes in URL-safe base64. Every use has a key of its own, derived by HKDF
(RFC 5869), so that no use can read or forge what another one made.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class KeyUnusable(Exception):
    """The key file, or what was encrypted under it, cannot be used; the message says what to do."""


class InstallationKey:
    """The installation's key. It never shows itself."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        fernet = Fernet(base64.urlsafe_b64encode(self.derive("secrets at rest")))
        self._encrypt = fernet.encrypt
        self._decrypt = lru_cache(maxsize=4096)(fernet.decrypt)

    def __repr__(self) -> str:
        return "Key()"

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, always the same ones."""
        return HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(self._master)

    def encrypt(self, plain: str) -> str:
        """The text, encrypted and authenticated (Fernet)."""
        return self._encrypt(plain.encode()).decode()

    def decrypt(self, token: str) -> str:
        """What ``encrypt`` was given; raises KeyUnusable when it was under another key."""
        try:
            return self._decrypt(token).decode()
        except InvalidToken:
            raise KeyUnusable(
                "a stored secret was encrypted under another key: put back the secret.key "
                "that belongs to this database"
            ) from None


def open_key(file: Path) -> InstallationKey:
    """Read the key file; make it, for its owner only, if there is none.

    It appears whole or not at all, also when two processes make it at once. Raises KeyUnusable.
    """
    try:
        if not file.exists():
            _make(file)
        _refuse_shared(file)
        return InstallationKey(_master(file))
    except OSError as error:
        raise KeyUnusable(f"cannot read the key {file}: {error.strerror}") from error


def _make(file: Path) -> None:
    aside = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as out:
            out.write(base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        _put_in_place(aside, file)
    finally:
        aside.unlink()


def _put_in_place(aside: Path, file: Path) -> None:
    """Link, not rename: whoever comes second takes the first one's key."""
    try:
        os.link(aside, file)
    except FileExistsError:
        return
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _refuse_shared(file: Path) -> None:
    if file.stat().st_mode & 0o077:
        raise KeyUnusable(f"others may read the key {file}: run chmod 600 {file}")


def _master(file: Path) -> bytes:
    try:
        master = base64.urlsafe_b64decode(file.read_bytes().strip())
    except (binascii.Error, ValueError):
        master = b""
    if len(master) != 32:
        raise KeyUnusable(f"{file} holds no key: put back the one that belongs to this database")
    return master

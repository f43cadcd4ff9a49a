"""The secret that ``webhooks listen`` signs with: one for each account, kept on this machine."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from pathlib import Path

from trunkline.cli.failure import CommandFailed

_ACCOUNT = re.compile(r"[0-9a-z-]{1,64}", re.ASCII)
_PREFIX = "whsec_"


def kept_secret(folder: Path, account_id: str) -> str:
    """The account's secret: the first call makes it, in a file for its owner only.

    Raises CommandFailed for a file that holds none.
    """
    if not _ACCOUNT.fullmatch(account_id):
        raise CommandFailed(f"{account_id!r} is no account's id: is that server a Trunkline?")
    file = folder / f"webhook-{account_id}.secret"
    if not file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(file)
    secret = file.read_text().strip()
    if not _is_secret(secret):
        raise CommandFailed(
            f"{file} holds no secret: delete it, and the next start makes a new one"
        )
    return secret


def checked(secret: str) -> str:
    """A secret that was given; raises CommandFailed, which does not repeat it."""
    if not _is_secret(secret):
        raise CommandFailed("--secret is none: whsec_ and 24 to 64 bytes in base64")
    return secret


def _is_secret(text: str) -> bool:
    """Standard Webhooks: 24 to 64 bytes."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(_PREFIX) and 24 <= len(key) <= 64


def _make(file: Path) -> None:
    """Write a new secret, whole or not at all; of two writers at once, the first one's stays."""
    aside = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "w") as out:
            out.write(f"{_PREFIX}{base64.b64encode(secrets.token_bytes(32)).decode()}\n")
        try:
            os.link(aside, file)
        except FileExistsError:
            return
    finally:
        aside.unlink()

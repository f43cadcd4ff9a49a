"""Changes one setting in the settings file, for a command that says that it does so."""

from __future__ import annotations

import os
import re
import secrets
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from trunkline.server.setting_forms import SettingsError


def toml_string(text: str) -> str:
    """A text as TOML writes it."""
    # TOML reads JSON's escapes alike.
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def write_setting(file: Path, name: str, value: str) -> None:
    """Set one setting in the file, leave all else as it is, comments too, and let only the owner read it.

    Raises SettingsError, and changes nothing, where that cannot be done for sure.
    """
    old = file.read_text() if file.exists() else ""
    before = _read(file, old)
    line = f"{name} = {toml_string(value)}"
    if name in before:
        new = re.sub(rf"(?m)^[ \t]*{name}[ \t]*=.*$", lambda _: line, old, count=1)
    else:
        new = f"{line}\n{old}"  # the first line is in no table
    if _read(file, new) != {**before, name: value}:
        raise SettingsError(f"{file} cannot be changed safely: set {name} in it by hand")
    _replace(file.resolve(), new)


def _read(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: {error}") from error


def _replace(file: Path, text: str) -> None:
    aside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "w") as out:
            out.write(text)
            out.flush()
            _keep_owner(file, out.fileno())
            os.fsync(out.fileno())
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _keep_owner(file: Path, handle: int) -> None:
    """Root may run the command, and the server has to read the file."""
    if os.geteuid() == 0:
        there = (file if file.exists() else file.parent).stat()
        os.fchown(handle, there.st_uid, there.st_gid)

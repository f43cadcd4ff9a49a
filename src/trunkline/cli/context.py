"""The settings of a command, and its data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from trunkline.server import settings


def settings_of(ctx: typer.Context, **flags: Any) -> settings.Settings:
    """The settings under the global ``--data`` and this command's flags; raises SettingsError."""
    return settings.load({"data": ctx.find_root().obj, **flags})


def data_directory(chosen: settings.Settings) -> Path:
    """The data directory; if there is none, it is made, for its owner only."""
    directory = chosen.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory

"""What every command knows: the settings, and where the data directory is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from trunkline.server import settings


def settings_of(ctx: typer.Context, **flags: Any) -> settings.Settings:
    """The settings under the global ``--data`` and this command's flags; raises SettingsError."""
    return settings.load({"data": ctx.find_root().obj, **flags})


def data_directory(chosen: settings.Settings) -> Path:
    """The data directory, made for its owner only if there is none."""
    directory = chosen.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory

"""trunkline version."""

from __future__ import annotations

import json

import typer

from trunkline import __version__
from trunkline.cli.options import Json


def version(
    as_json: Json = False,
) -> None:
    """Print Trunkline's version."""
    typer.echo(json.dumps({"version": __version__}) if as_json else f"trunkline {__version__}")

"""trunkline version."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from trunkline import __version__


def version(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print Trunkline's version."""
    typer.echo(json.dumps({"version": __version__}) if as_json else f"trunkline {__version__}")

"""Printing what a command made or found: for people, or as JSON with camelCase keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import typer

Shown = Mapping[str, Any]


def show_one(entry: Shown, as_json: bool) -> None:
    """One thing: a line for each of its keys, or one JSON object."""
    if as_json:
        typer.echo(msgspec.json.encode(entry).decode())
        return
    width = max(map(len, entry))
    for key, value in entry.items():
        typer.echo(f"{key:<{width}}  {_text(value)}")


def show_all(entries: Sequence[Shown], as_json: bool) -> None:
    """Many things: a table with a head, or one JSON array."""
    if as_json:
        typer.echo(msgspec.json.encode(entries).decode())
        return
    if not entries:
        typer.echo("none", err=True)
        return
    rows = [list(entries[0]), *([_text(value) for value in entry.values()] for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = ",".join(map(str, value))
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {n}" for key, n in value.items())
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)

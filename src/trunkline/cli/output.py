"""Printing what a command made or found: for people, or as JSON with camelCase keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import typer

_KEPT = ("keepCalls", "keepEvents", "keepRecordings")
Shown = Mapping[str, Any]


def show_one(entry: Shown, as_json: bool) -> None:
    """Print one entry: a line for each of its keys, or one JSON object."""
    if as_json:
        typer.echo(msgspec.json.encode(entry).decode())
        return
    width = max(map(len, entry))
    for key, value in entry.items():
        typer.echo(f"{key:<{width}}  {_said(key, value)}")


def show_all(entries: Sequence[Shown], as_json: bool) -> None:
    """Print entries: a table with a head, or one JSON array."""
    if as_json:
        typer.echo(msgspec.json.encode(entries).decode())
        return
    if not entries:
        typer.echo("none", err=True)
        return
    rows = [list(entries[0]), *([_said(*pair) for pair in entry.items()] for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _said(key: str, value: Any) -> str:
    """The value as text: unix microseconds as a time, days of keeping in words."""
    if key.endswith("At") and isinstance(value, int):
        return datetime.fromtimestamp(value / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if key in _KEPT:
        return {None: "default", 0: "forever"}.get(value) or f"{value} days"
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = ",".join(map(str, value))
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {n}" for key, n in value.items())
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(str(value).replace("\n", " "))


def plain(text: str) -> str:
    """The text without control and formatting characters, which never reach the terminal.

    Callers choose their names, and applications their notes.
    """
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)

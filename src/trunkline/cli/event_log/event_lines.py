"""Printing an event in one line: its envelope as JSON, or in colours for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import typer

from trunkline.cli.event_log.event_view import GAP, EventView

Show = Callable[[EventView, str | None], None]
"""Prints an event; the text is its account's time zone (None: this machine's)."""

STYLES = {
    "CHANNEL_CREATE": "cyan",
    "CHANNEL_PROGRESS": "yellow",
    "CHANNEL_ANSWER": "green",
    "CHANNEL_BRIDGE": "bold green",
    "CHANNEL_DESTROY": "magenta",
    "CALL_QUALITY": "red",
    "CALL_REFUSED": "red",
    "CALL_MERGED": "bold cyan",
    "CALL_ENDED": "bold",
    "RECORDING_FAILED": "red",
    "DEVICE_OFFLINE": "dim",
    "TRUNK_DOWN": "red",
    "WEBHOOK_SUSPENDED": "red",
    "WEBHOOK_DISABLED": "red",
    "GAP": "bold red",
}


def printer(as_json: bool) -> Show:
    if as_json:
        return lambda view, _: typer.echo(view.raw)
    return _in_colours()


def _in_colours() -> Show:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def show(view: EventView, timezone: str | None) -> None:
        number, time, call, leg, rest = columns(view, timezone)
        name = Text(f"{view.type:<17}", style=STYLES.get(view.type, ""))
        line = Text.assemble(
            (f"{number:>6}  ", "dim"),
            f"{time:<12}  ",
            (f"{call:<32}", "dim"),
            f"  {leg:>8}  ",
            name,
            f"  {rest}",
        )
        line.rstrip()
        console.print(line, soft_wrap=True)

    return show


def clock(time: str, timezone: str | None) -> str:
    """``2026-11-23T15:00:00.123Z`` as a clock in that time zone shows it: ``16:00:00.123``."""
    zone = ZoneInfo(timezone) if timezone else None
    return datetime.fromisoformat(time).astimezone(zone).strftime("%H:%M:%S.%f")[:-3]


def columns(view: EventView, timezone: str | None) -> tuple[str, str, str, str, str]:
    """(number, time, call, the end of the leg's id, who and why) of an event."""
    if view.type == GAP:
        first, last = view.data["from"], view.data["to"]
        return "", "", "", "", f"events {first} to {last} are not kept any more"
    of_leg = view.type.startswith("CHANNEL_") or view.type in ("CALL_QUALITY", "CALL_REFUSED")
    leg = view.subject[-8:] if of_leg else ""
    marks = ("(test)",) if view.data.get("test") else ()
    rest = "  ".join((*_rest(view, view.data), *marks))
    return str(view.seq), clock(view.time, timezone), view.call_id or "", leg, rest


def _rest(view: EventView, data: dict[str, Any]) -> tuple[str, ...]:
    said: tuple[Any, ...]
    if view.type == "CALL_ENDED":
        parties = (_party(data["caller"]), _party(data["callee"]))
        said = (data["status_detail"], f"{data['duration_seconds']} s", data.get("hangup_cause"))
    elif view.type == "CALL_MERGED":
        return ("into", data["into_call_id"])
    elif view.type == "CALL_QUALITY":
        return (" ".join(data["faults"]),)
    elif view.type == "CALL_REFUSED":
        told = (data["reason"], data.get("refused_device"), data.get("refused_number"))
        return tuple(filter(None, told))
    elif view.type.startswith("CHANNEL_"):
        parties = (data.get("caller_id_number", "?"), data.get("callee_id_number", "?"))
        said = (data.get("hangup_cause"), data.get("hangup_code"))
    elif view.category == "call":
        return tuple(filter(None, (data.get("media_name"), data.get("failure_reason"))))
    elif view.category == "webhook":
        return tuple(filter(None, (data.get("webhook_url"), data.get("reason"))))
    else:
        return (view.subject, *filter(None, (data.get("reason"),)))
    return (" -> ".join(parties), *map(str, filter(None, said)))


def _party(shown: dict[str, str]) -> str:
    return shown.get("username") or shown["number"]

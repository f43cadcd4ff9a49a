"""One event in one line: JSON as it was sent, or in colours for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import typer

from trunkline.calls.record import StoredEvent
from trunkline.cli.archive import local

Show = Callable[[StoredEvent, str], None]

_STYLES = {
    "CHANNEL_CREATE": "cyan",
    "CHANNEL_PROGRESS": "yellow",
    "CHANNEL_ANSWER": "green",
    "CHANNEL_BRIDGE": "bold green",
    "CHANNEL_DESTROY": "magenta",
    "CALL_ENDED": "bold",
    "RECORDING_FAILED": "red",
    "DEVICE_OFFLINE": "dim",
    "GAP": "bold red",
}


def printer(as_json: bool) -> Show:
    """What prints an event, given it and its account's time zone."""
    if as_json:
        return lambda event, _: typer.echo(event.body.decode())
    return _in_colours()


def _in_colours() -> Show:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def show(event: StoredEvent, timezone: str) -> None:
        time, call, leg, rest = columns(event, timezone)
        name = Text(f"{event.name:<16}", style=_STYLES.get(event.name, ""))
        line = Text.assemble(
            f"{time:<12}  ", (f"{call:<32}", "dim"), f"  {leg:>8}  ", name, f"  {rest}"
        )
        line.rstrip()
        console.print(line, soft_wrap=True)

    return show


def columns(event: StoredEvent, timezone: str) -> tuple[str, str, str, str]:
    """(time, call, the end of the leg's id, who and why) of an event."""
    body = msgspec.json.decode(event.body, type=dict[str, Any])
    if event.name == "GAP":
        return "", "", "", f"events {body['from']} to {body['to']} are not kept any more"
    time = local(event.at, timezone, "%H:%M:%S.%f")[:-3]
    leg = event.subject[-8:] if event.name.startswith("CHANNEL_") else ""
    return time, event.call_id or "", leg, _rest(event, body)


def _rest(event: StoredEvent, body: dict[str, Any]) -> str:
    if event.category == "device":
        return event.subject
    said: tuple[Any, ...]
    if event.name == "CALL_ENDED":
        parties = (_party(body["caller"]), _party(body["callee"]))
        said = (body["status_detail"], f"{body['duration_seconds']} s", body.get("Hangup-Cause"))
    elif event.name.startswith("CHANNEL_"):
        parties = (body.get("Caller-ID-Number", "?"), body.get("Callee-ID-Number", "?"))
        said = (body.get("Hangup-Cause"), body.get("Hangup-Code"))
    else:
        return " ".join(filter(None, (body.get("Media-Name"), body.get("Failure-Reason"))))
    return "  ".join((" -> ".join(parties), *filter(None, said)))


def _party(shown: dict[str, str]) -> str:
    return shown.get("username") or shown["number"]

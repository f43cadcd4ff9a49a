"""Writes docs/reference/settings.md and commands.md from the code; tests/test_docs.py compares them.

python docs/make_reference.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from trunkline import cli
from trunkline.server.settings import Settings

REFERENCE = Path(__file__).parent / "reference"

SETTINGS_HEAD = """\
# Settings

Made from the code by `python docs/make_reference.py`.

Each setting can stand in three places; the last one that speaks wins:

1. `trunkline.toml` in the data directory, such as `http = "0.0.0.0:8080"`;
2. the environment, such as `TRUNKLINE_HTTP=0.0.0.0:8080`;
3. the command line, where `trunkline up --help` shows a flag for it.

The data directory itself is `--data`, else `TRUNKLINE_DATA`, else `~/.local/share/trunkline`. A setting that is
not known, or whose value cannot be used, stops the program with a line that names it. Settings are read at the
start: restart the server after a change. Addresses are `HOST:PORT`; an IPv6 host stands in brackets. Rates are
`N/second`, `N/minute`, `N/hour` or `N/day`; several are joined by `;`.

| Setting | Environment | Default | What it does |
|---|---|---|---|
"""

COMMANDS_HEAD = """\
# Commands

Made from the code by `python docs/make_reference.py`.

`trunkline [--data DIR] COMMAND …`. The data directory is `--data DIR`, else `TRUNKLINE_DATA`, else
`~/.local/share/trunkline`. Every command has `--help`. What was asked for goes to standard output, all else to
standard error. A failure is one line that begins with `error:` and says what to do.

| Exit status | Meaning |
|---|---|
| 0 | done |
| 1 | it could not be done, or a check failed |
| 2 | the command was not understood |

Commands that change something write the database themselves, and then tell the server that runs on the same data
directory, if one does: a change works when the command returns. Commands that only look open the database
read-only and need no server.
"""


def settings_page() -> str:
    """The whole of settings.md."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = (_setting(field, hints[field.name]) for field in msgspec.structs.fields(Settings))
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def _setting(field: Any, hint: Any) -> str:
    words = " ".join(meta.description for meta in _metas(hint) if meta.description)
    default = str(field.default)
    if isinstance(field.default, bool):
        default = default.lower()
    if field.name == "data":
        default = "~/.local/share/trunkline"
    return f"| `{field.name}` | `TRUNKLINE_{field.name.upper()}` | {default and f'`{default}`'} | {words} |"


def _metas(hint: Any) -> Iterator[msgspec.Meta]:
    for part in get_args(hint):
        if isinstance(part, msgspec.Meta):
            yield part


def commands() -> Iterator[tuple[str, Any]]:
    """(its words after "trunkline", the command) of everything that can be run."""
    import typer

    root: Any = typer.main.get_command(cli.app)
    for name in root.list_commands(None):
        yield from _below(name, root.get_command(None, name))


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, one in command.commands.items():
        yield from _below(f"{path} {name}", one)


def commands_page() -> str:
    """The whole of commands.md."""
    return COMMANDS_HEAD + "".join(_command(path, command) for path, command in commands())


def _command(path: str, command: Any) -> str:
    words = inspect.cleandoc(command.help or "").replace("\f", "")
    shown = [one for one in command.params if _is_shown(one)]
    usage = " ".join(("trunkline", path, *(_usage(one) for one in shown))).strip()
    rows = "".join(f"| `{_escaped(_spelled(one))}` | {_help(one)} |\n" for one in shown)
    table = f"\n| | |\n|---|---|\n{rows}" if rows else ""
    return f"\n## trunkline {path}\n\n```\n{usage}\n```\n\n{words}\n{table}"


def _is_shown(param: Any) -> bool:
    return not getattr(param, "hidden", False) and param.name not in (
        "help", "install_completion", "show_completion",
    )  # fmt: skip


def _usage(param: Any) -> str:
    spelled = _spelled(param)
    return spelled if param.required else f"[{spelled}]"


def _spelled(param: Any) -> str:
    if param.param_type_name == "argument":
        return str(param.metavar or param.name.upper())
    name = max(param.opts, key=len)
    return name if param.is_flag else f"{name} {param.metavar or _kind(param)}"


def _kind(param: Any) -> str:
    return "N" if isinstance(param.default, int) else "TEXT"


def _help(param: Any) -> str:
    words = _escaped(" ".join((getattr(param, "help", None) or "").split()))
    default = param.default if isinstance(param.default, (str, int)) else None
    if isinstance(default, bool) or default in (None, ""):
        return words
    return f"{words} Default: `{default}`."


def _escaped(text: str) -> str:
    """Text that may stand in a cell of a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    (REFERENCE / "settings.md").write_text(settings_page())
    (REFERENCE / "commands.md").write_text(commands_page())

"""How far a command is, on standard error; the bars only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import typer


def say(text: str) -> None:
    """Say a line that nothing depends on: a server goes on where nobody reads it, or the disk is full."""
    with suppress(OSError):
        typer.echo(text, err=True)


@contextmanager
def bar(what: str, total: float) -> Iterator[Callable[[float], None]]:
    """A bar, to be told how much is done; it goes away at the end."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.update(task, completed=done)


@contextmanager
def counting(total: int) -> Iterator[Callable[[int], None]]:
    """A bar of calls, to be told how many more are done; at the end their number, in any case."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task("calls", total=total)
        yield lambda n: shown.advance(task, n)
        done = int(shown.tasks[0].completed)
    typer.echo(f"{done} call{'s' * (done != 1)}", err=True)

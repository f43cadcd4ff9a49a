"""trunkline engine: the Asterisk that Trunkline runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.options import Json, group
from trunkline.cli.output import show_one
from trunkline.server.settings import default_cache

if TYPE_CHECKING:
    from trunkline.server.wiring.engine_install import Installed, Progress

app = group("The phone engine, Asterisk: fetched by itself when none is installed.")


@app.command()
def install(
    ctx: typer.Context,
    mirror: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The Debian mirror; the machine's own if not given."),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="The Debian suite; sid if not given.")
    ] = None,
    stale_index: Annotated[
        str | None,
        typer.Option(
            metavar="warn|refuse",
            help="What to do when the mirror's signed index is past its date.",
        ),
    ] = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Fetch the suite's newest even when one is here.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch Asterisk into the user's cache, unless there is one that will do.

    Needs no root and changes nothing on the system. One that was cut short goes on where it ended.
    """
    from trunkline.server.wiring.engine_install import found_or_installed

    chosen = settings_of(
        ctx, engine_mirror=mirror, engine_suite=suite, engine_stale_index=stale_index
    )
    with _shown() as progress:
        found = found_or_installed(chosen, progress, _warn, upgrade)
    show_one(_described(found), as_json)


@app.command()
def status(ctx: typer.Context, as_json: Json = False) -> None:
    """Show which Asterisk would run, what the cache holds, and whether one runs on the data directory.

    Exit status 1 when there is none to run.
    """
    from trunkline.server.wiring import engine_install

    chosen = settings_of(ctx)
    known = engine_install.status(chosen)
    shown = {
        "installed": known.engine is not None,
        **_described(known.engine),
        "cache": str(default_cache() / "engine"),
        "cacheBytes": known.bytes,
        "pid": engine_install.running_pid(chosen),
    }
    show_one(shown, as_json)
    if known.engine is None:
        raise CommandFailed("there is no Asterisk to run: trunkline engine install")


@app.command()
def remove(as_json: Json = False) -> None:
    """Delete every fetched Asterisk from the user's cache; refuses while one runs."""
    from trunkline.server.wiring import engine_install

    show_one({"freedBytes": engine_install.remove()}, as_json)


@app.command()
def sbom(ctx: typer.Context) -> None:
    """Print the engine's bill of materials (CycloneDX, JSON): Debian's packages and our modules.

    Needs Trunkline with its extra `sbom`. `make sbom` writes it beside the wheel's.
    """
    from trunkline.server.wiring import engine_install

    if find_spec("cyclonedx") is None:
        raise CommandFailed(
            "this needs CycloneDX: make sbom, in the repository, brings it along and writes both "
            "bills; beside a wheel, pip install cyclonedx-python-lib into its environment"
        )
    from trunkline.engine.install import bill, contents

    found = engine_install.status(settings_of(ctx)).engine
    if found is None:
        raise CommandFailed("there is no Asterisk to run: trunkline engine install")
    if found.root is None or not contents.read(found.root):
        _warn(
            "which packages this engine was made of is not noted: trunkline engine install --upgrade"
        )
    typer.echo(bill.bill(found))


def _described(found: Installed | None) -> dict[str, Any]:
    if found is None:
        return {"version": None, "origin": None, "command": None}
    return {
        "version": found.version,
        "origin": found.origin,
        "command": " ".join(found.command),
    }


def _warn(said: str) -> None:
    typer.echo(f"warning: {said}", err=True)


@contextmanager
def _shown() -> Iterator[Progress]:
    """A progress bar on stderr; without a terminal, a line for each step."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    with Bar(console=console, transient=True) as bar:
        task = bar.add_task("looking", total=None)

        def show(what: str, done: float | None) -> None:
            bar.update(
                task, description=what, total=None if done is None else 1.0, completed=done or 0
            )

        yield show


def _lines() -> Progress:
    said: list[str] = []

    def show(what: str, _: float | None) -> None:
        if said[-1:] != [what]:
            said.append(what)
            typer.echo(f"{what} …", err=True)

    return show

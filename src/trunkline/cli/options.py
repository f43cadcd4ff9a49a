"""Options, arguments and groups that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Account = Annotated[str, typer.Option(metavar="NAME", help="The account: its name or its id.")]
AccountIf = Annotated[
    str | None, typer.Option(metavar="NAME", help="The account: its name or its id.")
]
OneAccount = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="One account only: its name or its id. All if not given."),
]
Named = Annotated[str, typer.Argument(metavar="NAME", help="Its name or its id.")]

Srtp = Annotated[
    str,
    typer.Option(
        metavar="WORD", help="Encrypted sound (SRTP), over TLS only: off, optional or required."
    ),
]
WeakPassword = Annotated[
    bool, typer.Option("--allow-weak-password", help="Take one of fewer than 12 characters.")
]

MaxCalls = Annotated[
    str | None,
    typer.Option(metavar="N|none", help="How many calls to the outside there may be at once."),
]
MaxRate = Annotated[
    str | None,
    typer.Option(metavar="N|none", help="How many new calls to the outside there may be a minute."),
]


def group(words: str) -> typer.Typer:
    """A group of commands; ``words`` are its help."""
    return typer.Typer(help=words, no_args_is_help=True, rich_markup_mode=None)


def listed(text: str) -> list[str]:
    """The values of an option that takes several, between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]

"""trunkline calls transfer: a live call goes to another number."""

from __future__ import annotations

from typing import Annotated

import typer

from trunkline.cli.context import settings_of
from trunkline.cli.options import Json
from trunkline.cli.output import show_one
from trunkline.cli.running_server import ask_for_transfer


def transfer(
    ctx: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    to: Annotated[str, typer.Option(metavar="NUMBER", help="A number or an extension.")],
    leg: Annotated[
        str | None,
        typer.Option(
            metavar="LEG",
            help="The leg that leaves, as trunkline calls show lists it; the phone's if only one talks.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Transfer a live call: a phone leaves it, and whom it talks with is led to NUMBER.

    That happens under the rights of the phone that leaves, and does not wait for anybody to answer.
    """
    left, number = ask_for_transfer(settings_of(ctx).directory, call_id, to, leg)
    show_one({"callId": call_id, "leg": left, "to": number}, as_json)

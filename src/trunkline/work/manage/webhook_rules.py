"""What a webhook's filters and description may look like; each rule says why it refuses one."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.events.bindings import BindingInvalid, parse
from trunkline.work.refused import Refused

MOST_BINDINGS = 50
LONGEST_DESCRIPTION = 200


def bindings(texts: Sequence[str]) -> tuple[str, ...]:
    """Event filters, each once; an empty tuple takes every event. Raises Refused WEBHOOK_INVALID."""
    wanted = tuple(dict.fromkeys(texts))
    if len(wanted) > MOST_BINDINGS:
        raise Refused("WEBHOOK_INVALID", f"An endpoint has at most {MOST_BINDINGS} event filters.")
    for text in wanted:
        _check(text)
    return wanted


def _check(text: str) -> None:
    try:
        parse(text)
    except BindingInvalid as error:
        raise Refused(
            "WEBHOOK_INVALID",
            f"{text!r} cannot be an event filter: {error}. Take one such as call.CALL_ENDED.*",
        ) from error
    if "," in text or not text.isprintable():
        raise Refused("WEBHOOK_INVALID", f"{text!r}: an event filter has no comma in it.")


def description(text: str) -> str:
    """Raises Refused WEBHOOK_INVALID."""
    if len(text) > LONGEST_DESCRIPTION or (text and not text.isprintable()):
        raise Refused(
            "WEBHOOK_INVALID",
            f"A description has at most {LONGEST_DESCRIPTION} printable characters.",
        )
    return text

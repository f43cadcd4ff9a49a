"""Text as PostgreSQL can hold it."""

from __future__ import annotations

from typing import TypeVar

Text = TypeVar("Text", str, str | None)


def storable(text: Text) -> Text:
    """The text without NUL characters, which PostgreSQL knows none of; no row is refused for them."""
    return text.replace("\0", "") if text is not None and "\0" in text else text


def searched(text: str) -> str:
    """A text to look for by itself: nothing has one with a NUL, nor an empty one."""
    return "" if "\0" in text else text

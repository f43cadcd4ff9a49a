"""What may be dialled, and by which trunk: the decision about a wanted call, before anything rings."""

from __future__ import annotations

import re

import msgspec

_PUNCTUATION = re.compile(r"[ .()\[\]\u00a0-]")
_NUMBER = re.compile(r"\+?[0-9]{2,20}")
_EXTENSION_MAX = 7


class NumberInvalid(ValueError):
    """What was given is not a phone number and not an extension."""


class Route(msgspec.Struct, frozen=True):
    """By which trunk numbers of a prefix go out, and how they are written there."""

    prefix: str
    trunk: str
    strip: int
    prepend: str


class Rights(msgspec.Struct, frozen=True):
    """What may be dialled, and by which trunks: the row that the dialplan goes by, too.

    ``allow`` and ``deny`` are regular expressions (POSIX; these few mean the same in Python's), deny
    goes before allow; ``routes`` stand in the order in which they are tried.
    """

    allow: str
    deny: str
    routes: tuple[Route, ...]

    @classmethod
    def read(cls, allow: str, deny: str, routes: str) -> Rights:
        """Of the columns of the view ``tl_rights``."""
        read = []
        for each in routes.split("&") if routes else ():
            prefix, trunk, strip, prepend = each.split(":")
            read.append(Route(prefix, trunk, int(strip), prepend))
        return cls(allow, deny, tuple(read))

    def route(self, number: str) -> Route | None:
        """The way out for a number."""
        return next((each for each in self.routes if number.startswith(each.prefix)), None)


def number(text: str) -> str:
    """The number without spaces, dots, dashes and brackets, ``+`` kept; raises NumberInvalid."""
    plain = _PUNCTUATION.sub("", text)
    if not _NUMBER.fullmatch(plain):
        raise NumberInvalid(
            "a number is 2 to 20 digits, which may begin with +; spaces, dots, dashes and "
            "brackets are dropped"
        )
    return plain


def may_dial(rights: Rights, number: str) -> bool:
    """Is this number let out?"""
    return bool(re.search(rights.allow, number)) and not re.search(rights.deny, number)


def could_be_extension(number: str) -> bool:
    """Extensions are short and all digits."""
    return len(number) <= _EXTENSION_MAX and number.isdigit()

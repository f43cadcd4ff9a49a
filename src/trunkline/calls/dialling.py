"""What may be dialled, and how: the decision about a wanted call, before anything rings."""

from __future__ import annotations

import re

import msgspec

_PUNCTUATION = re.compile(r"[ .()\[\]\u00a0-]")
_NUMBER = re.compile(r"\+?[0-9]{2,20}")
_EXTENSION_MAX = 7


class NumberInvalid(ValueError):
    """What was given is not a phone number and not an extension."""


class NotAllowed(Exception):
    """The account's dialling policy refuses the number, or no trunk could take it."""


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


class Way(msgspec.Struct, frozen=True):
    """How the far end is dialled. ``dial`` is the argument of Asterisk's Dial()."""

    class_: str
    dial: str


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


def inside(sip_users: tuple[str, ...]) -> Way:
    """Ring all phones of a user."""
    return Way("one_one", "&".join(f"PJSIP/{user}" for user in sip_users))


def outside(number: str, rights: Rights) -> Way:
    """Dial a number through a trunk; raises NotAllowed where there is none."""
    route = rights.route(number)
    if route is None:
        raise NotAllowed("the account has no trunk that could take a call to this outside number")
    return Way("trunking", f"PJSIP/{route.prepend}{number[route.strip :]}@{route.trunk}")


def could_be_extension(number: str) -> bool:
    """Extensions are short and all digits."""
    return len(number) <= _EXTENSION_MAX and number.isdigit()

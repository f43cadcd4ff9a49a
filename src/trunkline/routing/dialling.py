"""What may be dialled, and by which trunk: decided before anything rings."""

from __future__ import annotations

import re
import unicodedata

import msgspec

_DROPPED = frozenset({"Zs", "Pd", "Cf", "Ps", "Pe"})
"""Unicode's categories of spaces, dashes, invisible marks, and brackets."""
_DOTS = "./\u00b7\u06d4\u2022\u2024\u2027\u2219\u22c5\u3002\u30fb\ufe52\uff0e\uff61\uff65"
_DASHES = "\u2212\u30fc"
"""The minus sign, and the long vowel of Japanese: both stand for a dash."""
_SLASHES = "\u2044\u2215\uff0f"
_SELECTORS = "".join(map(chr, range(0xFE00, 0xFE10)))
"""Variation selectors: they say in which style the character before them is shown."""
_ALSO_DROPPED = frozenset(_DOTS + _DASHES + _SLASHES + _SELECTORS)
_WIDE = {"\uff0b": "+", "\uff0a": "*", "\uff03": "#"}
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_PLAIN_NUMBER = re.compile(r"\+?[0-9]+")
_EXTENSION_MAX = 7


class NumberInvalid(ValueError):
    """The text is neither a phone number nor an extension."""


class OutboundRoute(msgspec.Struct, frozen=True):
    """By which trunk numbers of a prefix go out, and how they are written there."""

    prefix: str
    trunk: str
    strip: int
    prepend: str


class Rights(msgspec.Struct, frozen=True):
    """What may be dialled, and by which trunks; the dialplan decides by the same row.

    ``allow`` and ``deny`` are regular expressions (POSIX; these few mean the same in Python), and deny
    goes before allow. ``routes`` are tried in their order.
    """

    allow: str
    deny: str
    routes: tuple[OutboundRoute, ...]

    @classmethod
    def read(cls, allow: str, deny: str, routes: str) -> Rights:
        """From the columns of the view ``tl_rights``."""
        read = []
        for each in routes.split("&") if routes else ():
            prefix, trunk, strip, prepend = each.split(":")
            read.append(OutboundRoute(prefix, trunk, int(strip), prepend))
        return cls(allow, deny, tuple(read))

    def route(self, number: str) -> OutboundRoute | None:
        return next((each for each in self.routes if number.startswith(each.prefix)), None)


def compact(text: str) -> str:
    """A number as it was typed or pasted, without what people put between digits.

    It drops spaces, dots, dashes, slashes and brackets of any script, invisible marks, and parameters after
    ``;``. Digits of any script become 0 to 9 (as in libphonenumber), full-width ``+``, ``*`` and ``#`` the
    plain ones. Everything else stays.
    """
    text = text.partition(";")[0]
    if text.isascii() and text.isalnum():
        return text
    return "".join(_WIDE.get(char) or _digit(char) for char in text if not _dropped(char))


def _dropped(char: str) -> bool:
    return char in _ALSO_DROPPED or unicodedata.category(char) in _DROPPED


def dropped_beyond_ascii() -> str:
    """What the dialplan drops from a dialled number beside ASCII's marks, as a set for a POSIX expression."""
    return "".join(filter(_dropped, map(chr, range(0x80, 0xFFFF))))


def _digit(char: str) -> str:
    value = unicodedata.decimal(char, None)
    return char if value is None else str(value)


def number(text: str) -> str:
    """The number as it is dialled; raises NumberInvalid."""
    plain = compact(text)
    if not _NUMBER.fullmatch(plain):
        raise NumberInvalid(
            "a number is 1 to 32 digits, * and #, which may begin with +; spaces, dots, dashes, slashes and "
            "brackets are dropped, and so is what follows a semicolon"
        )
    return plain


def may_dial(rights: Rights, number: str) -> bool:
    """May this number be dialled outside? Codes with * and # are for numbers inside."""
    # As the dialplan ([way-out]): a prefix without + is refused with one, too.
    denied = re.search(rights.deny, number) or re.search(rights.deny, number.removeprefix("+"))
    allowed = re.search(rights.allow, number) and not denied
    return bool(allowed and _PLAIN_NUMBER.fullmatch(number))


def could_be_extension(number: str) -> bool:
    return len(number) <= _EXTENSION_MAX and not number.startswith("+")

"""What may be dialled, and how: the decision about a wanted call, before anything rings."""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

_PUNCTUATION = re.compile(r"[ .()\[\]\u00a0-]")
_NUMBER = re.compile(r"\+?[0-9]{2,20}")
_EXTENSION_MAX = 7


class NumberInvalid(ValueError):
    """What was given is not a phone number and not an extension."""


class NotAllowed(Exception):
    """The account's dialling policy refuses the number, or no trunk could take it."""


class Policy(Protocol):
    """Prefixes that an account may or may not dial, comma-separated; empty is no rule."""

    @property
    def dial_allow(self) -> str: ...
    @property
    def dial_deny(self) -> str: ...


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


def may_dial(policy: Policy, number: str) -> bool:
    """Does the policy let this number out? Deny goes before allow."""
    if _begins_with_any(number, policy.dial_deny):
        return False
    return not policy.dial_allow.strip() or _begins_with_any(number, policy.dial_allow)


def inside(sip_users: tuple[str, ...]) -> Way:
    """Ring all phones of a user."""
    return Way("one_one", "&".join(f"PJSIP/{user}" for user in sip_users))


def outside(number: str, trunk: str | None) -> Way:
    """Dial a number through a trunk; raises NotAllowed where there is none."""
    if trunk is None:
        raise NotAllowed("the account has no trunk that could take a call to an outside number")
    return Way("trunking", f"PJSIP/{number}@{trunk}")


def could_be_extension(number: str) -> bool:
    """Extensions are short and all digits."""
    return len(number) <= _EXTENSION_MAX and number.isdigit()


def _begins_with_any(number: str, prefixes: str) -> bool:
    return any(
        number.startswith(prefix) for each in prefixes.split(",") if (prefix := each.strip())
    )

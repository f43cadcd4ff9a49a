"""Which user of the account a number, a name or a phone of the old system belongs to."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trunkline.calls.facts import Party
from trunkline.history.imports.leg import Side

_LONGEST_INSIDE = 6


class Person(msgspec.Struct, frozen=True):
    """A user of the account, and the phone that was named, if one was."""

    user_id: str
    username: str
    name: str
    device_id: str | None = None


class People:
    def __init__(self, known: Mapping[str, Person]) -> None:
        """The account's users by extension, user name and SIP user name, all in lower case."""
        self._known = known

    def settle(self, side: Side) -> tuple[Party, bool]:
        """The party, and whether it is inside: a user, or what looks like an extension."""
        if side.inside is not False:
            for named in (*side.aliases, side.number):
                found = self._known.get(named.lower()) if named else None
                if found is not None:
                    return _user(named, side, found), True
        if side.username is not None:
            return Party(side.number, username=side.username, name=side.name), True
        if side.inside is not None:
            return Party(side.number, name=side.name), side.inside
        short = next((each for each in (*side.aliases, side.number) if _is_short(each)), None)
        return Party(short or side.number, name=side.name), short is not None


def _user(named: str, side: Side, found: Person) -> Party:
    number = side.number if side.username is not None else named
    return Party(number, found.username, side.name or found.name, found.user_id, found.device_id)


def _is_short(number: str) -> bool:
    """No network has numbers so short, except for emergencies and services."""
    return 2 <= len(number) <= _LONGEST_INSIDE and number.isascii() and number.isdigit()

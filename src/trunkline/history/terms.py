"""Search terms: what a call is found by, and what a filter asks for. Pure, the same for every database.

A term is a kind and a value, ``n:84901234567``. Numbers lose ``+`` and what ``dialling.compact`` drops,
names and notes are cut into words without accents, and all is in lower case. So what is asked for meets
what was written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator

import msgspec

from trunkline.calls.facts import Party
from trunkline.routing.dialling import compact

NUMBER, USER, DID, TRUNK, TAG, REF, WORD = "n:", "u:", "d:", "t:", "g:", "r:", "w:"
"""The kinds; each term begins with one."""

LONGEST = 64
"""Only so many characters of a value count."""
MOST_WORDS = 64
"""Only so many words of a name or a note count."""

_TEXT_KINDS = (NUMBER, USER, DID, TAG, REF, WORD)
_NEVER_IN_NUMBERS = str.maketrans("", "", "+\t\n\r")
_WORDS = re.compile(r"\w+")
_NUMBER = re.compile(r"[0-9*#]*[0-9][0-9*#]*")
_TEXT_AND_PARAMETERS = re.compile(r"[^;]*(;\S*)?")
_LAST = "\U0010ffff"


def plain(text: str) -> str:
    """Lower case, without accents: ``Nguyễn Đức`` is ``nguyen duc``."""
    if text.isascii():
        return text.lower().replace("\0", "")
    apart = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    return "".join(c for c in apart if not unicodedata.combining(c)).replace("\0", "")


def plain_number(text: str) -> str:
    """A number in any spelling, without ``+``."""
    return plain(compact(text).translate(_NEVER_IN_NUMBERS))


def terms_of(
    caller: Party,
    callee: Party,
    did_number: str | None,
    trunk: str | None,
    client_ref: str | None,
    note: str = "",
    tags: Iterable[str] = (),
) -> set[str]:
    found = {NUMBER + _cut(plain_number(side.number)) for side in (caller, callee)}
    found |= {USER + _cut(plain(side.username)) for side in (caller, callee) if side.username}
    found |= {TAG + _cut(plain(tag)) for tag in tags}
    found |= {WORD + word for text in (caller.name, callee.name, note) for word in _words(text)}
    found.add(DID + _cut(plain_number(did_number or "")))
    found.add(TRUNK + _cut(plain((trunk or "").removeprefix("trunk-"))))
    found.add(REF + _cut(plain(client_ref or "")))
    return {term for term in found if len(term) > len(NUMBER)}


def _words(text: str) -> Iterator[str]:
    for number, found in enumerate(_WORDS.finditer(plain(text))):
        if number == MOST_WORDS:
            return
        yield _cut(found[0])


def _cut(value: str) -> str:
    return value[:LONGEST]


class Lookup(msgspec.Struct, frozen=True):
    """A call matches that has one of these terms, or a term that begins with one of these prefixes."""

    terms: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def holds(self, terms: Collection[str]) -> bool:
        if any(term in terms for term in self.terms):
            return True
        return bool(self.prefixes) and any(term.startswith(self.prefixes) for term in terms)

    @property
    def ranges(self) -> list[tuple[str, str]]:
        """The prefixes as half-open ranges of terms, in the order of code points."""
        return [(prefix, prefix + _LAST) for prefix in self.prefixes]


def of_number(kind: str, text: str) -> Lookup:
    """A number in any spelling; ``*`` at its end stands for every number that begins so."""
    if text.endswith("*"):
        return Lookup(prefixes=(kind + _cut(plain_number(text[:-1])),))
    return Lookup(terms=(kind + _cut(plain_number(text)),))


def of_value(kind: str, text: str) -> Lookup:
    """Exactly this value, whatever its case and accents."""
    value = plain(text)
    return Lookup(terms=(kind + _cut(value.removeprefix("trunk-") if kind == TRUNK else value),))


def of_text(text: str) -> list[Lookup]:
    """A number in any spelling is one word; of any other text each word has to be there.

    A word is there if it begins a word of a name or the note, or a number, username, DID, tag or client_ref.
    """
    number = plain_number(text).rstrip("*")
    dialled = _NUMBER.fullmatch(number) and _TEXT_AND_PARAMETERS.fullmatch(text)
    words = [_cut(number)] if dialled else sorted(set(_words(text)))
    return [Lookup(prefixes=tuple(kind + word for kind in _TEXT_KINDS)) for word in words]

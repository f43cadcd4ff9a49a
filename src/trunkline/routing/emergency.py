"""Emergency numbers: those of a country, as libphonenumber has them, and 112, by which every mobile network finds help."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

ALWAYS = ("112",)
"""ITU-T E.161.1 recommends it for every country."""
WITHOUT_COUNTRY = ("112", "911")
"""The two that it recommends, for an account that does not say where it is."""


def is_country(code: str) -> bool:
    """Is it a country's code by ISO 3166-1 alpha-2, in capitals?"""
    import phonenumbers

    return code in phonenumbers.SUPPORTED_REGIONS or code in phonenumbers.SUPPORTED_SHORT_REGIONS


def emergency_numbers(country: str | None, listed: Sequence[str]) -> tuple[str, ...]:
    """All of an account's, in order: its country's, and those that it has listed."""
    of_country = WITHOUT_COUNTRY if country is None else (*ALWAYS, *_of(country))
    return tuple(sorted({*of_country, *listed}))


def _of(country: str) -> list[str]:
    """The numbers that the country's pattern fits; none where nobody has told libphonenumber."""
    from phonenumbers import PhoneMetadata

    known = PhoneMetadata.short_metadata_for_region(country)
    said = known.emergency if known else None
    if said is None or not said.national_number_pattern:
        return []
    fits = re.compile(said.national_number_pattern).fullmatch
    lengths = said.possible_length
    written = (f"{n:0{length}}" for length in lengths for n in range(10**length))
    return [number for number in written if fits(number)]


class Emergency(msgspec.Struct, frozen=True):
    """What an account dials in an emergency, and by which trunks."""

    numbers: frozenset[str] = frozenset()
    trunks: tuple[str, ...] = ()

    @classmethod
    def read(cls, numbers: str, trunks: str) -> Emergency:
        """From the columns of the view ``tl_emergency``."""
        return cls(
            frozenset(filter(None, numbers.split("&"))), tuple(filter(None, trunks.split("&")))
        )

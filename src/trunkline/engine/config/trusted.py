"""Whose certificates are trusted: those that the machine trusts, and those of a file of the operator's."""

from __future__ import annotations

import ssl
from pathlib import Path

_DEBIANS = Path("/etc/ssl/certs")


def system_folder() -> str:
    """The machine's trusted certificates, each under its hash (OpenSSL's c_rehash); empty where there are none.

    A folder and not one file: that would be read anew, all of it, for each connection.
    """
    found = ssl.get_default_verify_paths().capath
    places = [Path(found)] if found else []
    return next((str(place) for place in [*places, _DEBIANS] if any(place.glob("*.0"))), "")

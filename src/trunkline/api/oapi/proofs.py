"""What a right hash proves: which reading of the query the client meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trunkline.api.http.query import Reading
from trunkline.api.oapi.hashes import header_hash, histories_hashes, matches, media_hash
from trunkline.store.ports.database import App

Proof = Callable[[App, Reading, str], bool]


def header_proof(app: App, given: str) -> bool | None:
    """True if the header's hash is right, else None."""
    return matches(given, [header_hash(app.id, app.secret)]) or None


def histories_proof(app: App, reading: Reading, given: str) -> bool:
    hashes = histories_hashes(
        app.id,
        reading.get("created_from"),
        reading.get("created_to"),
        reading.get("limit"),
        reading.get("page"),
        app.secret,
    )
    return matches(given, hashes)


def media_proof(app: App, reading: Reading, given: str) -> bool:
    return matches(given, [media_hash(app.id, reading.get("media"), app.secret)])


def believed(ways: Iterable[Reading], app: App, given: str, proof: Proof) -> Reading | None:
    """The way to read the query that the hash is right for, None if there is none."""
    for reading in ways:
        if "hash" not in reading.twice and proof(app, reading, given):
            return reading
    return None

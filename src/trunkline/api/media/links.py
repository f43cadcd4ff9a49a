"""Recordings' links: signed, and good until they expire."""

from __future__ import annotations

import re
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import quote

from itsdangerous import Signer

from trunkline.api.http.errors import refuse
from trunkline.calls.recording_names import STORED_NAME

_EXPIRES = re.compile(r"[1-9][0-9]{8,11}", re.ASCII)


class Links:
    """Makes and checks links to recordings, under a key of the installation's own."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key, salt=b"recording", key_derivation="hmac", digest_method=sha256)

    def path(self, name: str, expires: int) -> str:
        """The path and query that show the recording, or its peaks, until ``expires`` (unix seconds)."""
        signed = self._signature(name, str(expires))
        return f"/recordings/{quote(name)}?expires={expires}&signature={signed}"

    def check(self, name: str, expires: str | None, signature: str | None, now: int) -> None:
        """Raises Refused LINK_INVALID unless the link is ours and still good; ``now`` in seconds.

        The texts are compared, not what they decode to: Base64 has several spellings of one value.
        """
        given, text = (signature or "").encode("utf-8", "surrogateescape"), expires or ""
        if not _EXPIRES.fullmatch(text) or not STORED_NAME.fullmatch(name):
            raise refuse("LINK_INVALID")
        right = compare_digest(given, self._signature(name, text).encode())
        if not right or int(text) <= now:
            raise refuse("LINK_INVALID")

    def _signature(self, name: str, expires: str) -> str:
        return self._signer.get_signature(f"{name}?expires={expires}").decode()

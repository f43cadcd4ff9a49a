"""Cursors: where a list goes on. Opaque, signed, good for one list of one account only."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from itsdangerous import BadSignature, URLSafeSerializer

from trunkline.api.v1.conventions.problems import problem

T = TypeVar("T")

_VERSION = 1
_LONGEST = 1024


class Cursors:
    """Makes and reads cursors, under a key of the installation's own."""

    def __init__(self, key: bytes) -> None:
        self._serializer = URLSafeSerializer(
            key,
            salt=b"cursor",
            signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
        )

    def make(self, what: str, account_id: str, position: Any) -> str:
        """A cursor of the list ``what``; ``position`` is whatever JSON the list goes on from."""
        made = self._serializer.dumps([_VERSION, what, account_id, position])
        return made if isinstance(made, str) else made.decode()

    def read(self, cursor: str, what: str, account_id: str, kind: type[T]) -> T:
        """The position; raises Problem cursor_invalid for one that is altered or of another list."""
        try:
            if len(cursor) > _LONGEST:
                raise ValueError  # noqa: TRY301
            version, list_, owner, position = self._serializer.loads(cursor)
            if (version, list_, owner) != (_VERSION, what, account_id):
                raise ValueError  # noqa: TRY301
            return msgspec.convert(position, kind)
        except (BadSignature, ValueError, TypeError):
            raise problem("cursor_invalid") from None

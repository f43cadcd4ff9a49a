"""A request that is refused: how a verb says no to a door."""

from __future__ import annotations


class Refused(Exception):
    """``code`` is one of the Open API's error codes, ``detail`` a sentence for the developer.

    ``retry_after`` is in whole seconds, where trying again later may help.
    """

    def __init__(self, code: str, detail: str, retry_after: int | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

"""What may be asked of the SIP messages that are kept of calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from trunkline.sip.message import SipMessage, SipPart


class SipFound(msgspec.Struct, frozen=True):
    """Messages in their order; ``more``: there were others, which are not kept or not among these."""

    messages: tuple[SipMessage, ...]
    more: bool


NOTHING = SipFound((), False)


class SipMessages(Protocol):
    """The SIP messages of calls. They are for people who look for a fault: nothing depends on them."""

    async def add(self, parts: Sequence[SipPart]) -> None:
        """Keep these, all in one transaction. Raises DatabaseUnavailable."""

    async def of_call(self, account_id: str, call_ids: Sequence[str], limit: int) -> SipFound:
        """The first ``limit`` messages kept of the account's calls of these ids, by their time."""

    async def prune(self, before: int) -> int:
        """Forget what was stored before that time, in small steps; gives how many rows that were.

        What is of a call or an account on hold stays.
        """

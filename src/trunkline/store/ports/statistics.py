"""What may be asked of the statistics of calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trunkline.history.sums import GroupBy, Summed


class Statistics(Protocol):
    """What calls came to. Deleting calls changes none of it; an account takes it along."""

    async def summed(
        self, account_id: str, group: GroupBy, cuts: Sequence[int], most: int
    ) -> Summed:
        """The intervals [cuts[0], cuts[1]), [cuts[1], cuts[2]) …, each cut a whole quarter of an hour.

        Raises TooManyPoints where they have more than ``most`` keys together. An internal call is
        under both its users; a call without a DID or a trunk is in no such group.
        """

    async def count_older(self, calls: int) -> bool:
        """Count about so many calls of before there were statistics, the newest of them first.

        False when there are none left. What was counted stays so, and is counted once, whenever the
        process ends.
        """

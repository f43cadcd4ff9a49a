"""Is what is kept beside the calls what the calls themselves say: counts, sums, and what finds them?

Looked at in small steps, each in one state of the database, so that calls may be written meanwhile.
What is wrong is looked at again, and mended, in a transaction in which nobody else writes that account.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import sqlalchemy as sa

from trunkline.store.check import counts, sums, terms
from trunkline.store.check.days import days
from trunkline.store.check.steps import Difference, Steps

__all__ = ["PARTS", "Difference", "Part", "check"]

Part = Literal["counts", "sums", "terms"]
PARTS: tuple[Part, ...] = ("counts", "sums", "terms")


def check(engine: sa.Engine, repair: bool, parts: tuple[Part, ...] = PARTS) -> Iterator[Difference]:
    """Everything that is not what the calls say; with ``repair``, as it was before it was mended.

    ``counts`` are those of each minute, hour and day; ``sums`` the statistics, which may tell of more
    calls where some were deleted; ``terms`` what calls are found by, and the order of their changes. The
    first two are looked at a day of an account at a time. ``engine`` is the database's
    ``checking_engine``, and is disposed of. Raises DatabaseUnavailable.
    """
    with Steps(engine, repair) as steps:
        for day in days(steps):
            if "counts" in parts:
                yield from counts.check(steps, day)
            if "sums" in parts:
                yield from sums.check(steps, day)
        if "terms" in parts:
            yield from terms.check(steps)

"""What calls add to the sums that are kept of them (``call_stats``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from trunkline.calls.record import CallRecord
from trunkline.calls.times import SECOND
from trunkline.history.sums import QUARTER, WIDTHS, Sums

_WIDER = [(width // SECOND, width // QUARTER) for width in WIDTHS[1:]]


class Bucket(NamedTuple):
    """Where something is summed; ``width`` in seconds, ``bucket`` is the time of start in widths."""

    account_id: str
    width: int
    dimension: str
    bucket: int
    key: str


COLUMNS = (*Bucket._fields, *Sums.__struct_fields__)
"""Of ``call_stats``: a bucket, and its sums."""


class Counted(NamedTuple):
    """What of a call is summed, as ``statistics.sql`` selects it."""

    account_id: str
    started_at: int
    class_: str
    direction: str
    status_detail: str
    caller_username: str | None
    callee_username: str | None
    did_number: str | None
    trunk: str | None
    billing_seconds: int
    ringing_seconds: int
    duration_seconds: int

    @classmethod
    def of(cls, record: CallRecord) -> Counted:
        """Of a finished call."""
        return cls._make(_counted(record))

    def seen(self) -> Iterator[tuple[str, str, bool]]:
        """(dimension, key, outgoing) of each that it is a call of."""
        outgoing = self.direction == "from_ab"
        yield "all", f"{self.class_}/{self.direction}/{self.status_detail}", outgoing
        if self.caller_username is not None:
            yield "user", self.caller_username, True
        if self.callee_username not in (None, self.caller_username):
            yield "user", self.callee_username, False
        if self.did_number is not None:
            yield "did", self.did_number, outgoing
        if self.trunk is not None:
            yield "trunk", self.trunk, outgoing

    def sums(self) -> tuple[int, ...]:
        """What one call adds, in the order of ``Sums``, as if it was not outgoing."""
        status, talked = self.status_detail, self.billing_seconds
        return (
            1,
            0,
            int(status == "SUCCESS"),
            int(status == "BUSY"),
            int(status == "UNSUCCESS"),
            int(status == "CANCELLED"),
            int(status == "IVR"),
            int(self.ringing_seconds > 0),
            talked,
            self.ringing_seconds,
            self.duration_seconds,
            talked,
        )


_counted = attrgetter(*(re.sub("^(caller|callee)_", r"\1.", name) for name in Counted._fields))


def summed_up(calls: Iterable[Counted]) -> dict[Bucket, list[int]]:
    """What these calls add to each bucket, in the order of ``Sums``."""
    quarters: dict[Bucket, list[int]] = {}
    width = QUARTER // SECOND
    for call in calls:
        quarter, sums = call.started_at // QUARTER, call.sums()
        for dimension, key, outgoing in call.seen():
            bucket = Bucket(call.account_id, width, dimension, quarter, key)
            kept = _add(quarters, bucket, sums)
            kept[1] += outgoing
    return {**quarters, **wider(quarters)}


def wider(quarters: Mapping[Bucket, Sequence[int]]) -> dict[Bucket, list[int]]:
    """What these quarters of an hour add to the wider buckets."""
    kept: dict[Bucket, list[int]] = {}
    for seconds, of_quarters in _WIDER:
        for (account_id, _, dimension, quarter, key), sums in quarters.items():
            _add(kept, Bucket(account_id, seconds, dimension, quarter // of_quarters, key), sums)
    return kept


def _add(kept: dict[Bucket, list[int]], bucket: Bucket, sums: Sequence[int]) -> list[int]:
    there = kept.get(bucket)
    if there is None:
        there = kept[bucket] = list(sums)
        return there
    *before, longest = there
    *more, talked = sums
    there[:] = [*map(int.__add__, before, more), max(longest, talked)]
    return there

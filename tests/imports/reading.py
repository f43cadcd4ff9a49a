"""Reading a sample as the import does, without a database."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from trunkline.calls.record import CallRecord
from trunkline.history.imports.fold import fold
from trunkline.history.imports.gather import Gather
from trunkline.history.imports.leg import ForeignLeg, Skipped
from trunkline.history.imports.people import People, Person
from trunkline.history.imports.source import ForeignHistory

SAMPLES = Path(__file__).parent / "samples"
HCM = ZoneInfo("Asia/Ho_Chi_Minh")
AN, BINH = Person("u-an", "an", "An"), Person("u-binh", "binh", "Binh")
PEOPLE = People(
    {"101": AN, "an": AN, "an1": Person("u-an", "an", "An", "d-an1"), "102": BINH, "binh": BINH}
)


class Read:
    """What became of a file: its records and what was skipped, both in order."""

    def __init__(
        self, content: bytes, form: str | None = None, zone: ZoneInfo = HCM, **renamed: str
    ) -> None:
        source = ForeignHistory(io.BytesIO(content), form, zone, renamed)
        self.form = source.form
        self.skipped: list[tuple[int, Skipped]] = []
        self.records = [fold(legs, PEOPLE, "acme", self.form) for legs in self._calls(source)]

    def _calls(self, source: ForeignHistory) -> Iterator[list[ForeignLeg]]:
        gather = Gather()
        for line, leg in source.legs():
            if isinstance(leg, Skipped):
                self.skipped.append((line, leg))
            else:
                yield from (whole.legs for whole in gather.add(leg, "f", line))
        yield from (whole.legs for whole in gather.rest())


def short(record: CallRecord) -> tuple[object, ...]:
    """What matters of a record, on one line."""
    sides = [
        f"{party.number}={party.username}" if party.username else party.number
        for party in (record.caller, record.callee)
    ]
    return (
        *sides, record.class_, record.direction, record.status_detail, record.did_number,
        record.started_at // 1_000_000, record.duration_seconds, record.billing_seconds,
    )  # fmt: skip

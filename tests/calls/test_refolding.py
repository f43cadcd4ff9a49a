"""Every recorded call's journal makes its record again, byte for byte."""

from __future__ import annotations

import msgspec
import pytest

from trunkline.calls import outcome
from trunkline.calls.record import CallRecord
from trunkline.calls.refolding import RefoldDifference, differences

from .replay import folded, names, scenario


@pytest.mark.parametrize("name", names())
def test_the_journal_makes_the_record_again(name: str) -> None:
    ledger = folded(scenario(name))
    for call in ledger.calls.values():
        facts, stored = ledger.journal[call.id], outcome.record(call)
        assert differences(stored, facts) == []
        for field in CallRecord.__struct_fields__:
            value = getattr(stored, field)
            other = "x" if isinstance(value, str | None) else None
            changed = msgspec.structs.replace(stored, **{field: other})
            assert [each.field for each in differences(changed, facts)] == [field.rstrip("_")]


def test_a_journal_that_does_not_come_to_an_end_makes_none() -> None:
    ledger = folded(scenario(names()[0]))
    call = next(iter(ledger.calls.values()))
    facts = ledger.journal[call.id][:3]

    assert differences(outcome.record(call), facts) == [RefoldDifference("call_id", call.id, None)]

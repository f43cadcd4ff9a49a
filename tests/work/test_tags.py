"""A recording's file tells whose call it was, and when."""

from __future__ import annotations

from store.making import record
from trunkline.calls.facts import Party
from trunkline.work.record.tags import tags


def test_a_file_that_has_gone_astray_tells_its_call() -> None:
    told = tags(record("c1", "a1", client_ref="ticket 7"))
    assert told["title"] == "An (an1) to 02873019555"
    assert told["artist"] == "An (an1)"
    assert told["date"] == told["started_at"] == "2023-11-14T22:13:20.000Z"
    assert (told["caller"], told["callee"], told["call_id"]) == ("an1", "02873019555", "c1")
    assert told["comment"].splitlines() == [
        "call_id=c1",
        "caller=an1",
        "callee=02873019555",
        "direction=from_ab",
        "started_at=2023-11-14T22:13:20.000Z",
        "answered_at=2023-11-14T22:13:23.000Z",
        "ended_at=2023-11-14T22:13:29.000Z",
        "client_ref=ticket 7",
    ]


def test_who_has_no_number_is_anonymous() -> None:
    told = tags(record("c1", "a1", caller=Party(""), answered_at=None))
    assert told["title"] == "anonymous to 02873019555"
    assert "answered_at" not in told
    assert "client_ref" not in told

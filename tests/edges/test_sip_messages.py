"""What every database promises of the SIP messages of calls (``store/ports/sip_messages.py``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from db.making import AT, KEY, office, record
from trunkline.sip.message import SipMessage, SipPart
from trunkline.store.directory import AccountEntry, ManagedDirectory
from trunkline.store.place import Place, open_database
from trunkline.store.ports.database import Batch
from trunkline.store.ports.history import Marks
from trunkline.store.ports.sip_messages import NOTHING
from trunkline.work.manage import manage_directory as manage
from trunkline.work.manage import manage_retention as keeping

FIRST = SipMessage(
    leg_id="leg",
    at=AT,
    sent=True,
    source="192.0.2.1:5060",
    destination="[2001:db8::7]:5060",
    transport="udp",
    method="INVITE",
    status=None,
    reason="",
    cseq="1 INVITE",
    text="INVITE sip:a SIP/2.0\r\nSubject: \0\ufffd\x1b[2J ếé\r\n\r\n",
)


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Any]:
    office(place)
    opened = open_database(place, KEY)
    yield opened
    await opened.close()


def part(
    *offsets: int, account_id: str = "A", call_id: str = "c", stored_at: int = AT, skipped: int = 0
) -> SipPart:
    messages = tuple(msgspec.structs.replace(FIRST, at=AT + offset) for offset in offsets)
    return SipPart(
        account_id=account_id,
        call_id=call_id,
        stored_at=stored_at,
        messages=messages,
        skipped=skipped,
    )


async def times(
    database: Any, account_id: str = "A", *call_ids: str, limit: int = 100
) -> list[int]:
    found = await database.sip_messages.of_call(account_id, call_ids or ("c",), limit)
    return [message.at - AT for message in found.messages]


async def test_messages_are_kept_as_they_were(database: Any) -> None:
    await database.sip_messages.add([part(0)])
    found = await database.sip_messages.of_call("A", ["c"], 10)
    assert (found.messages, found.more) == ((FIRST,), False)


async def test_they_come_by_their_time_from_all_ids_of_a_call(database: Any) -> None:
    await database.sip_messages.add([part(5, 7), part(1, 9, call_id="joined"), part(3)])
    await database.sip_messages.add([])
    await database.sip_messages.add([part(2, call_id="another")])
    assert await times(database, "A", "c", "joined") == [1, 3, 5, 7, 9]
    assert await times(database, "A", "c") == [3, 5, 7]


async def test_no_account_sees_what_another_has(database: Any) -> None:
    await database.sip_messages.add([part(1), part(2, account_id="B")])
    assert await times(database, "A") == [1]
    assert await times(database, "B") == [2]
    assert await database.sip_messages.of_call("C", ["c", "\0", ""], 10) == NOTHING


async def test_it_says_when_there_were_more(database: Any) -> None:
    await database.sip_messages.add([part(1, 2, 3)])
    assert (await database.sip_messages.of_call("A", ["c"], 3)).more is False
    assert (await database.sip_messages.of_call("A", ["c"], 2)).more is True
    assert await times(database, limit=2) == [1, 2]
    await database.sip_messages.add([part(skipped=1)])
    assert (await database.sip_messages.of_call("A", ["c"], 3)).more is True


async def test_what_is_old_goes(database: Any) -> None:
    old = [part(n, stored_at=AT, call_id="old") for n in range(1100)]
    await database.sip_messages.add([*old, part(1, stored_at=AT + 1)])
    assert await database.sip_messages.prune(AT) == 0
    assert await database.sip_messages.prune(AT + 1) == 1100
    assert await times(database, "A", "old", "c") == [1]
    assert await database.sip_messages.prune(AT + 1) == 0


async def test_what_is_on_hold_stays(database: Any, place: Place) -> None:
    ours, theirs = (office(place, name, f"{name}1")[0].account_id for name in ("ours", "theirs"))
    await database.calls.commit(Batch(finished=[record("held", ours), record("free", ours)]))
    await database.history.mark(ours, "held", Marks(hold=True), AT)
    with ManagedDirectory(place, KEY).transaction() as directory:
        keeping.hold(directory, manage.find(directory, AccountEntry, theirs), "case 7", AT)
    await database.sip_messages.add(
        [part(1, account_id=ours, call_id=call_id) for call_id in ("held", "free")]
        + [part(2, account_id=theirs, call_id="any")]
    )
    assert await database.sip_messages.prune(AT + 1) == 1
    assert await times(database, ours, "held", "free") == [1]
    assert await times(database, theirs, "any") == [2]


async def test_they_go_with_their_call(database: Any, place: Place) -> None:
    ours = office(place, "ours", "ours1")[0].account_id
    await database.calls.commit(Batch(finished=[record("gone", ours)]))
    await database.sip_messages.add(
        [part(n, account_id=ours, call_id=call_id) for n, call_id in enumerate(("gone", "other"))]
    )
    assert (await database.retention.delete(ours, "calls", AT + 1, None, 10, AT)).rows == 1
    assert await times(database, ours, "gone", "other") == [1]

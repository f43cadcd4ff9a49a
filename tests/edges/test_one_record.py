"""A record with every field set is told alike by every way out, on both databases.

A new field of ``CallRecord`` is set and compared here by itself: nothing is listed by name.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from contextlib import closing
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import pytest

from store.making import AT
from trunkline.api.v1.call import ShownOneCall, _finished
from trunkline.api.v1.call_fields import shown as shown_in_v1
from trunkline.api.v1.exports.formats import Csv, JsonLines, Parquet
from trunkline.calls.facts import Party
from trunkline.calls.record import CallRecord
from trunkline.calls.times import rfc3339
from trunkline.cli.calls.show import whole_call
from trunkline.history.row import shown as shown_in_history
from trunkline.store.location import Location
from trunkline.store.opening import open_archive
from trunkline.store.ports.archive import Archive
from trunkline.store.ports.database import Batch, Database
from trunkline.store.ports.history import NEWEST, CallFilter

T = TypeVar("T")
OURS = {"account_id", "app_id"}
TEN = [
    "caller", "callee", "class", "did_number", "direction", "status_detail", "duration_seconds",
    "unix_timestamp", "billing_seconds", "recording", "call_id", "clientRef",
]  # fmt: skip


def made(kind: type[Any], name: str, at: int) -> Any:
    """A value of that type that no other field has."""
    if get_origin(kind) is UnionType:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return get_args(kind)[-1]
    if kind is Party:
        parts = {part: f"{name} {part}" for part in Party.__struct_fields__}
        return Party(**parts)
    if name.endswith("_at"):
        return AT + at * 1_001_000
    return {str: f"{name} {at}", int: 100 + at, bool: True}[kind]


def whole(account_id: str) -> CallRecord:
    """A record whose every field is set, and to no default."""
    hints = get_type_hints(CallRecord)
    fields = {name: made(hints[name], name, n) for n, name in enumerate(hints)}
    return CallRecord(**fields | {"account_id": account_id, "status_detail": "BUSY"})


def every_field(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in CallRecord.__struct_fields__}


def flat(record: CallRecord) -> dict[str, Any]:
    """Its fields by their keys, each party in pieces."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(CallRecord):
        value = getattr(record, field.name)
        if isinstance(value, Party):
            found |= {
                f"{field.name}_{part}": getattr(value, part) for part in Party.__struct_fields__
            }
        else:
            found[field.encode_name] = value
    return found


def told(key: str, value: Any) -> Any:
    """A value as /v1 tells it."""
    if isinstance(value, Party):
        return {"number": value.number, "username": value.username, "name": value.name}
    return rfc3339(value) if key.endswith("_at") else value


@pytest.fixture
async def record(database: Database, account_id: str) -> CallRecord:
    finished = whole(account_id)
    await database.calls.commit(Batch(finished=[finished]))
    return finished


async def looked_up(place: Location, look: Callable[[Archive], T]) -> T:
    """What a command sees, which has no event loop."""

    def see() -> T:
        with closing(open_archive(place)) as archive:
            return look(archive)

    return await asyncio.to_thread(see)


def test_every_field_is_set_and_to_no_default() -> None:
    some = whole("a" * 32)
    for field in msgspec.structs.fields(CallRecord):
        assert getattr(some, field.name) not in (field.default, None, "", 0, False), field.name
    plain = [value for value in flat(some).values() if value is not True]
    assert len(set(map(str, plain))) == len(plain)


async def test_the_database_gives_back_what_it_was_given(
    database: Database, record: CallRecord, place: Location
) -> None:
    account_id, call_id = record.account_id, record.call_id
    rows = list((await database.history.find(account_id, CallFilter(), NEWEST, 10)).rows)
    rows += (await database.history.changed(account_id, CallFilter(), 0, 10)).rows
    rows.append((await database.history.whole(account_id, call_id, 0, 0)).row)  # type: ignore[arg-type]
    found, kept = await looked_up(
        place,
        lambda archive: (
            archive.find(account_id, CallFilter(), NEWEST, 10),
            archive.record(call_id),
        ),
    )
    rows += found.rows

    assert [every_field(row) for row in rows] == [every_field(record)] * 4
    assert kept is not None
    assert flat(record) == {
        "call_id" if key == "id" else key: bool(value) if key == "engine_died" else value
        for key, value in kept.items()
        if key not in ("updated_at", "note", "tags", "update_seq")
    }


async def test_the_contract_has_its_ten_keys(database: Database, record: CallRecord) -> None:
    page = await database.calls.page(record.account_id, 0, AT * 2, 10, 1)

    assert page.rows == [shown_in_history(record)]
    assert list(msgspec.to_builtins(page.rows[0])) == TEN


async def test_every_way_out_of_v1_and_of_the_command_line_agrees(
    database: Database, record: CallRecord, place: Location
) -> None:
    (row,) = (await database.history.find(record.account_id, CallFilter(), NEWEST, 10)).rows
    expected = {
        field.encode_name: told(field.name, getattr(record, field.name))
        for field in msgspec.structs.fields(CallRecord)
        if field.name not in OURS
    }
    noted = {"note": "", "tags": [], "update": row.update, "hold": False}

    listed = msgspec.to_builtins(shown_in_v1(row))
    one = msgspec.to_builtins(_finished(row))
    assert listed == expected | noted
    assert one == {"live": False, "status": "ended"} | listed
    assert set(listed) <= set(
        msgspec.json.schema(ShownOneCall)["$defs"]["ShownOneCall"]["properties"]
    )
    assert json.loads(JsonLines().rows([row])) == listed

    cells = {key: value for key, value in flat(record).items() if key not in OURS}
    cells = {
        key: value for key, value in cells.items() if not key.endswith(("_user_id", "_device_id"))
    }
    head, line = csv.reader(io.StringIO((Csv().begin() + Csv().rows([row])).decode(), newline=""))
    assert dict(zip(head, line, strict=True)) == {
        key: "true" if value is True else str(told(key, value)) for key, value in cells.items()
    } | {"note": "", "tags": "", "update": str(row.update), "hold": "false"}

    command = await looked_up(place, lambda archive: whole_call(archive, record.call_id))
    for key, value in flat(record).items():
        first, *rest = key.split("_")
        assert command[first + "".join(map(str.capitalize, rest))] == value


async def test_parquet_tells_the_same(database: Database, record: CallRecord) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    (row,) = (await database.history.find(record.account_id, CallFilter(), NEWEST, 10)).rows
    file = Parquet()
    (line,) = parquet.read_table(
        io.BytesIO(file.begin() + file.rows([row]) + file.end())
    ).to_pylist()

    for key, value in flat(record).items():
        if key in line:
            moment = key.endswith("_at")
            assert (round(line[key].timestamp() * 1_000_000) if moment else line[key]) == value
    assert {"merged_into", "caller_number", "hold"} <= set(line)

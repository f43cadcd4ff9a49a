"""Finding calls at a million: each filter's first page and a deep one, by the port (``History.find``).

Beside them the plain first page of the same size: the aim is what that costs, whatever is asked.
"""

from __future__ import annotations

import asyncio
import time

from trunkline.store.ports.history import NEWEST, CallFilter, CallKey
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import SqliteDatabase, open_database

from .figures import Figure, compared
from .million import Million, million

CALLS = 1_000_000
LIMIT, ROUNDS = 20, 200


async def measure(calls: int = CALLS, directory: str = "") -> list[Figure]:
    """Every filter against the plain page."""
    made = await asyncio.to_thread(million, directory, calls)
    db = open_database(made.data / "trunkline.db", open_key(made.data / "secret.key"))
    try:
        while await db.history.index(2000):  # one that was made by a version without the index
            pass
        return await _compared(db, made)
    finally:
        await db.close()


async def _compared(db: SqliteDatabase, made: Million) -> list[Figure]:
    plain: list[float] = []
    times: dict[str, list[float]] = {}
    deep = CallKey(made.window[0] + (made.window[1] - made.window[0]) // 10, "")
    filters = await _filters(db, made)
    for _ in range(ROUNDS):
        plain.append(await _timed(db, made, CallFilter(), NEWEST))
        for name, wanted in filters.items():
            for where, after in (("first", NEWEST), ("deep", deep)):
                times.setdefault(f"{name}, {where} page", []).append(
                    await _timed(db, made, wanted, after)
                )
    return [
        compared(f"find {name}/plain, p{round(q * 100)}", plain, samples, q)
        for name, samples in times.items()
        for q in (0.5, 0.99)
    ]


async def _timed(db: SqliteDatabase, made: Million, wanted: CallFilter, after: CallKey) -> float:
    begun = time.perf_counter()
    await db.history.find(made.account_id, wanted, after, LIMIT)
    return (time.perf_counter() - begun) * 1000


async def _filters(db: SqliteDatabase, made: Million) -> dict[str, CallFilter]:
    """One of each kind, of values that are there; those that no index leads are marked so."""
    rows = (await db.history.find(made.account_id, CallFilter(), NEWEST, 500)).rows
    one = rows[250]
    named = {
        "nothing": CallFilter(),
        "number": CallFilter(number=one.callee.number),
        "number 5 digits*": CallFilter(number=one.callee.number[:5] + "*"),
        "number 2 digits* (gone through)": CallFilter(number=one.callee.number[:2] + "*"),
        "user": CallFilter(user=one.caller.username),
        "user and number": CallFilter(user=one.caller.username, number=one.callee.number),
        "user and status": CallFilter(user=one.caller.username, statuses=("BUSY",)),
        "user, never so long (gone through)": CallFilter(
            user=one.caller.username, duration=(1 << 20, 1 << 30)
        ),
        "status": CallFilter(statuses=("BUSY",)),
        "a status that no call has (gone through)": CallFilter(statuses=("IVR",)),
        "recorded": CallFilter(has_recording=True),
        "text, a name": CallFilter(text="agent 42"),
        "text, nothing": CallFilter(text="nobody"),
    }
    did = next((row.did_number for row in rows if row.did_number), None)
    ref = next((row.client_ref for row in rows if row.client_ref), None)
    if did and ref:
        named |= {
            "did": CallFilter(did=did),
            "trunk": CallFilter(trunk=next(row.trunk for row in rows if row.trunk)),
            "trunk and did": CallFilter(did=did, trunk="b"),
            "client_ref": CallFilter(client_ref=ref),
        }
    return named

"""Fifty companies and their calls: the same ones for a size, whatever machine makes them.

The first account has three calls of ten, all within 31 days; the others share the rest over a year,
the second most and the last least. A day has more calls than a night.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from trunkline.calls.facts import Class, Direction, Party
from trunkline.calls.record import CallRecord, StatusDetail
from trunkline.store.common.spans import DAY, HOUR

ACCOUNTS = 50
WINDOW_DAYS, YEAR_DAYS = 31, 365
END = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000
"""Unix microseconds: the end of the 31 days, and of the year."""
LATER = 6 * HOUR
"""How much at the end is left to the calls that a measurement writes."""
WINDOW = (END - WINDOW_DAYS * DAY, END)
"""All calls of the first account, unix microseconds, half-open."""

_STATUSES: list[StatusDetail] = ["SUCCESS"] * 6
_STATUSES += ["BUSY", "UNSUCCESS", "CANCELLED", "IVR"]
_CAUSES = {"SUCCESS": "NORMAL_CLEARING", "BUSY": "USER_BUSY", "UNSUCCESS": "NO_ANSWER"}
_KINDS: list[tuple[Class, Direction]] = [("trunking", "from_ab")] * 5
_KINDS += [("trunking", "to_ab")] * 4
_KINDS += [("one_one", "from_ab")]
_HOURS = np.array(
    [1, 1, 1, 1, 1, 2, 4, 9, 20, 30, 32, 28, 22, 28, 32, 30, 26, 18, 10, 6, 4, 3, 2, 1]
)


class Company(msgspec.Struct, frozen=True):
    """One account: its calls start in [start, end)."""

    number: int
    calls: int
    start: int
    end: int

    @property
    def name(self) -> str:
        """What its account is called."""
        return f"company {self.number}"

    @property
    def agents(self) -> int:
        """How many of its users take calls."""
        return max(3, min(400, self.calls // 5000))


def companies(calls: int) -> list[Company]:
    """All of them, with so many calls together."""
    most = calls * 3 // 10
    shares = 1 / np.arange(2, ACCOUNTS + 1) ** 0.7
    sizes = [int(n) for n in (calls - most) * shares / shares.sum()]
    sizes[0] += calls - most - sum(sizes)
    year = [
        Company(number, n, END - YEAR_DAYS * DAY, END - LATER) for number, n in enumerate(sizes, 2)
    ]
    return [Company(1, most, WINDOW[0], END - LATER), *year]


def records(company: Company, account_id: str) -> Iterator[CallRecord]:
    """Its calls in the order in which they started."""
    chance = np.random.default_rng(company.number)
    user = [_user(company, n) for n in range(company.agents)]
    outside = [
        Party(f"0{n:09}") for n in chance.integers(10**9, size=max(20, company.calls // 8)).tolist()
    ]
    dids = [f"0287{company.number:02}{n:04}" for n in range(10)]
    columns = _drawn(company, chance, len(user), len(outside))
    for n, row in enumerate(zip(*columns, strict=True)):
        yield _record(account_id, _call_id(company, n), user, outside, dids, *row)


def _drawn(company: Company, chance: Any, users: int, outside: int) -> list[list[int]]:
    n = company.calls
    draws = ((users, n), (users, n), (outside, n), (10, n), (10, n), (10, n), (600, n), (25, n))
    return [
        _starts(company, chance),
        *(chance.integers(most, size=n).tolist() for most, n in draws),
    ]


def _starts(company: Company, chance: Any) -> list[int]:
    n, days = company.calls, -(-(company.end - company.start) // DAY)
    hours = chance.choice(24, size=n, p=_HOURS / _HOURS.sum())
    at = (
        company.start
        + chance.integers(days, size=n) * DAY
        + hours * HOUR
        + chance.integers(HOUR, size=n)
    )
    late = at >= company.end
    at[late] -= DAY
    at.sort()
    return list(map(int, at.tolist()))


def _call_id(company: Company, n: int) -> str:
    return hashlib.md5(b"%d %d" % (company.number, n)).hexdigest()


def _user(company: Company, n: int) -> Party:
    name = f"c{company.number}agent{n}"
    id_ = hashlib.md5(name.encode()).hexdigest()
    return Party(name, username=f"agent{n}", name=f"Agent {n}", user_id=id_, device_id=id_[::-1])


def _record(
    account_id: str,
    call_id: str,
    users: list[Party],
    outside: list[Party],
    dids: list[str],
    at: int,
    agent: int,
    colleague: int,
    customer: int,
    kind: int,
    outcome: int,
    did: int,
    seconds: int,
    rang: int,
) -> CallRecord:
    class_, direction = _KINDS[kind]
    status = _STATUSES[outcome]
    if status == "IVR" and direction == "from_ab":
        status = "SUCCESS"
    talked = seconds + 1 if status == "SUCCESS" else 0
    other = outside[customer] if class_ == "trunking" else users[colleague]
    inbound = direction == "to_ab"
    return CallRecord(
        call_id=call_id,
        account_id=account_id,
        caller=other if inbound else users[agent],
        callee=users[agent] if inbound else other,
        class_=class_,
        direction=direction,
        did_number=dids[did] if inbound else None,
        status_detail=status,
        started_at=at,
        answered_at=at + rang * 1_000_000 if talked else None,
        ended_at=at + (rang + talked) * 1_000_000,
        duration_seconds=rang + talked,
        billing_seconds=talked,
        ringing_seconds=rang,
        hangup_cause=_CAUSES.get(status, "ORIGINATOR_CANCEL"),
        recording=f"call_recording_{call_id}.mp3" if talked else "",
        client_ref=f"ticket-{customer}" if direction == "from_ab" and did == 0 else None,
        trunk=f"trunk-{did % 2}" if class_ == "trunking" else None,
    )

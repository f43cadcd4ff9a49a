"""acme: alice 101, bob 102, carol 103, and a carrier; all scripted, each with a tone of its own.

``told`` gives all that was told of the calls of one test, once it has looked whether that is sound.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from .listener import RawWebSocket, Seen
from .party import Call, Party, Taking
from .ports import loopback
from .soundness import merges, unsound
from .stage import Device, Stage, Tenant, together
from .tones import Sound
from .waiting import NeverHappened, until

DID, BOBS_DID = "02873010001", "02873010002"
FORBIDDEN = "0909"
"""Nobody of the firm may dial what begins so."""
OUT, INTERNAL, INBOUND = ("trunking", "from_ab"), ("one_one", "from_ab"), ("trunking", "to_ab")
SCOPES = "calls:read,events:read,recordings:read"
TONES = 440, 620, 830
"""Of alice, bob and carol; the carrier's is 1400, where a test does not set another."""
SOON = 10
"""Seconds in which a call that is over for everybody is told to have ended."""


class Firm:
    """The account, its people and its carrier; made once for all tests of a module."""

    def __init__(self, stage: Stage, tenant: Tenant) -> None:
        self.stage, self.tenant = stage, tenant
        self.devices: dict[str, Device] = {}
        self._mark = 0

    @classmethod
    async def open(cls, stage: Stage, *options: str, recorded: bool = True) -> Firm:
        """Make it all. ``options`` are those of the account."""
        more = options if recorded else (*options, "--no-record")
        firm = cls(stage, await stage.tenant("--deny", FORBIDDEN, *more))
        tenant, address, port = firm.tenant, loopback(), stage.ports.one()
        devices = await tenant.people(
            alice=("--extension", "101"),
            bob=("--extension", "102", "--caller-id", BOBS_DID),
            carol=("--extension", "103"),
        )
        firm.devices = {device.username: device for device in devices}
        whose = ("--account", tenant.name)
        *_, made = await stage.server.commands(
            (
                "trunk",
                "create",
                "carrier",
                *whose,
                "--host",
                f"{address}:{port}",
                "--match",
                address,
            ),
            ("number", "create", *whose, DID, "--to", "user:alice"),
            ("number", "create", *whose, BOBS_DID, "--to", "user:bob"),
            ("key", "create", "crm", *whose, "--scopes", SCOPES),
        )
        firm.carrier = await stage.far_party("carrier", address, port, tone=1400)
        firm.alice, firm.bob, firm.carol = await together(
            *(stage.party(one, tone=tone) for one, tone in zip(devices, TONES, strict=True))
        )
        firm._headers = {"Authorization": f"Bearer {made['key']}"}
        firm.listener = await stage.listen(RawWebSocket, firm.tenant)
        return firm

    alice: Party
    bob: Party
    carol: Party
    carrier: Party
    listener: RawWebSocket
    _headers: dict[str, str]

    @property
    def parties(self) -> tuple[Party, ...]:
        """Everybody."""
        return self.alice, self.bob, self.carol, self.carrier

    async def click(self, number: str, **options: str) -> str:
        """alice clicks; gives the call_id that was answered."""
        return await self.tenant.click(self.devices["alice"], number, **options)

    # ---- One test ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new test begins: what was told before is not of it."""
        self._mark = len(self.listener.events.all)
        for party in self.parties:
            party.calls.clear()
            party.takings.clear()
            party.taking = Taking()

    async def end(self) -> None:
        """Whatever happened, nobody is left in a call, and nothing is left to be told."""
        for party in self.parties:
            await asyncio.gather(*(call.hang_up() for call in party.live), return_exceptions=True)
        odd = [line for party in self.parties for line in party.odd]
        for party in self.parties:
            party.odd.clear()
        assert not odd, odd
        await self._all_ended(set())

    @property
    def events(self) -> list[Seen]:
        """The events of this test so far."""
        return self.listener.events.all[self._mark :]

    def announced(self) -> list[str]:
        """The calls that were told of, in their order."""
        of_calls = [seen for seen in self.events if seen.name.startswith("CHANNEL_")]
        return list(dict.fromkeys(seen.call_id for seen in of_calls))

    async def told(self, *clicked: str, unlisted: int = 0) -> Told:
        """All that was told, once everything is over; it is sound.

        ``clicked`` are the ids that clicks were answered with; ``unlisted`` is how many calls may
        be in /v1 and not in the history.
        """
        for party in self.parties:
            for call in party.live:
                await call.over(SOON)
        await until(self.announced, "any event of a call", SOON)
        await self._all_ended({*clicked})
        wanted = dict.fromkeys((*self.announced(), *clicked))
        history = [one for one in await self.tenant.api.history() if one["call_id"] in wanted]
        shown = {call_id: await self.v1(call_id) for call_id in wanted}
        told = Told(self, self.events, history, shown)
        odd = unsound(self.events, history, shown, unlisted)
        assert not odd, "\n".join([*odd, *map(_line, self.events)])
        return told

    async def _all_ended(self, clicked: set[str]) -> None:
        def left() -> set[str]:
            ended = {seen.call_id for seen in self.events if seen.name == "CALL_ENDED"}
            return {*self.announced(), *clicked} - ended

        try:
            await until(lambda: not left(), "CALL_ENDED", SOON)
        except NeverHappened:
            lines = [f"no CALL_ENDED of {', '.join(left())}", *map(_line, self.events)]
            raise NeverHappened("\n  ".join(lines)) from None

    async def v1(self, call_id: str) -> dict[str, Any]:
        """``GET /v1/calls/{id}``."""
        answer = await self.tenant.api.http.get(f"/v1/calls/{call_id}", headers=self._headers)
        assert answer.status_code == 200, (call_id, answer.text)
        return dict(answer.json())

    async def sound(self, record: dict[str, Any]) -> Sound:
        """The recording of a call, once it can be played."""

        def ready() -> bool:
            return any(
                e.name == "RECORDING_READY" and e.call_id == record["call_id"] for e in self.events
            )

        await until(ready, f"the recording of {record['call_id']}", 20)
        answer = await self.tenant.api.play_recording(record["recording"])
        assert answer.status_code == 200, answer.text
        return Sound((await self.tenant.api.http.get(answer.json()["media"])).content)


class Says(msgspec.Struct, frozen=True):
    """What a record says: people by their user name, others by their number."""

    kind: tuple[str, str]
    status: str
    caller: str
    callee: str
    did: str | None = None


def says(record: dict[str, Any]) -> Says:
    """The gist of a record."""
    caller, callee = (
        record[side].get("username") or record[side]["number"] for side in ("caller", "callee")
    )
    kind = record["class"], record["direction"]
    return Says(kind, record["status_detail"], caller, callee, record["did_number"])


class Told:
    """What was told of some calls: their events, their records, and /v1."""

    def __init__(
        self,
        firm: Firm,
        events: list[Seen],
        records: list[dict[str, Any]],
        shown: dict[str, dict[str, Any]],
    ) -> None:
        self.firm, self.events, self.records, self.shown = firm, events, records, shown
        self.parties = {"alice": firm.alice, "bob": firm.bob, "carol": firm.carol}

    @property
    def says(self) -> list[Says]:
        """The gist of every record, oldest first."""
        return [says(record) for record in self.oldest_first]

    @property
    def oldest_first(self) -> list[dict[str, Any]]:
        """The records in the order in which their calls were announced."""
        order = list(self.shown)
        return sorted(self.records, key=lambda one: order.index(one["call_id"]))

    @property
    def one(self) -> dict[str, Any]:
        """The only record."""
        (record,) = self.records
        return record

    def which(self, wanted: Says) -> dict[str, Any]:
        """The one record that says so."""
        found = [record for record in self.records if says(record) == wanted]
        assert len(found) == 1, (wanted, self.says)
        return found[0]

    def legs(self, call_id: str = "") -> list[dict[str, Any]]:
        """The CHANNEL_DESTROY of each leg (of a call), in their order."""
        return [
            seen.data
            for seen in self.events
            if seen.name == "CHANNEL_DESTROY" and call_id in ("", seen.call_id)
        ]

    def leg_to(self, user: str) -> dict[str, Any]:
        """The one leg that rang that device, or left for that number."""
        found = [
            leg
            for leg in self.legs()
            if leg["call_direction"] == "outbound" and leg["to"].startswith(f"{user}@")
        ]
        assert len(found) == 1, (user, [leg["to"] for leg in self.legs()])
        return found[0]

    @property
    def merges(self) -> dict[str, str]:
        """Which call went into which."""
        return merges(self.events)

    # ---- Talk and sound ---------------------------------------------------------------------------

    def billed(self, record: dict[str, Any], seconds: float) -> None:
        """The talk lasted so long, rounded up; a second is what telling it apart may cost."""
        billing = record["billing_seconds"]
        assert seconds - 0.7 <= billing <= seconds + 1.7, (billing, seconds)
        assert billing <= record["duration_seconds"], record

    async def recorded(
        self,
        record: dict[str, Any],
        seconds: float,
        left: list[int],
        right: list[int],
    ) -> None:
        """It is as long as the talk, and who spoke on each channel is that, in that order."""
        self.billed(record, seconds)
        sound = await self.firm.sound(record)
        tones = [[_known(tone, self._tones(left + right)) for tone, _ in sound.said(channel)]
                 for channel in (0, 1)]  # fmt: skip
        spoke = [list(dict.fromkeys(each for each in tone if each)) for tone in tones]
        assert spoke == [left, right], (sound.said(0), sound.said(1))
        assert abs(sound.seconds - seconds) < 1, (sound.seconds, seconds)

    def _tones(self, more: list[int]) -> set[int]:
        return {*more, *(call.tone for party in self.firm.parties for call in party.calls)}


def _line(seen: Seen) -> str:
    where = seen.data.get("to", "").partition("@")[0]
    return f"{seen.seq} {seen.name} call {seen.call_id} leg {seen.data.get('call_id')} to {where}"


def _known(tone: float, tones: set[int]) -> int:
    """The party's tone that this is; 0 for what is none, such as music."""
    return next((one for one in tones if abs(one - tone) <= 12), 0)


def talked(*calls: Call) -> float:
    """Seconds from when the last of these ends was up to when the first of them left."""
    return min(call.left_at for call in calls) - max(call.up_at for call in calls)

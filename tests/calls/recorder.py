"""Records ``scenarios/`` anew: ``cd tests && python -m calls.recorder [NAME …]``.

The whole product runs with a real Asterisk, baresip and SIPp; each scene is one call (or two that a
transfer joins). What Asterisk wrote and what it signalled meanwhile is kept word for word. What the
calls must give is not recorded: ``expected.py`` says it.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from calls import moved_scenes
from calls.replay import SCENARIOS, Recorded, RecordedUser
from trunkline.calls import facts as f
from trunkline.calls.cel import endpoint_of
from trunkline.engine.commands.ari import Ari
from trunkline.engine.config.configuration import event_log
from trunkline.engine.config.credentials import credentials
from trunkline.engine.listen.log_follower import LogFollower
from trunkline.store.secrets import open_key
from trunkline.store.sqlite import open_database
from whole import server as server_module
from whole.conftest import SHORT
from whole.firm import Firm
from whole.phone import Phone
from whole.ports import Ports
from whole.server import Server
from whole.stage import Device, Stage
from whole.waiting import until

FAST: dict[str, Any] = SHORT | {"device_ring_seconds": 3, "ring_seconds": 4}
DID = "84287300900"
Scene = Callable[[], Awaitable[object]]


class Recorder:
    """The stage on which all scenes play, one after the other."""

    def __init__(self, stage: Stage, heard: Path) -> None:
        self.stage, self.server, self.heard = stage, stage.server, heard
        self.log = event_log(self.server.data / "engine")

    async def set_up(self) -> None:
        self.tenant = await self.stage.tenant()
        self.carrier = await self.stage.carrier()
        await self.tenant.trunk(self.carrier.host)
        self.agent = await self.tenant.user(
            "agent", "--name", 'An \\ "Agent"', "--extension", "101"
        )
        self.phone = await self.stage.phone(self.agent)
        answers = await self.tenant.user("answers", "--extension", "201")
        await self.stage.phone(answers)
        await self.tenant.number(f"{DID}1", "answers")
        self.by_hand = await self.tenant.user("hand", "--extension", "110")
        self.hand_phone = await self.stage.phone(self.by_hand, answer="manual")
        for name, number, *contacts in (
            ("busy", "202", "p0486"),
            ("declines", "203", "p0603"),
            ("rings", "204", "p0000"),
            ("both", "205", "p0486", "p0603"),
            ("race", "206", "p0000", "p0183"),
            ("oneless", "207", "p0603", "p0000"),
        ):
            await self.person(name, number, *contacts)
            await self.tenant.number(f"{DID}{number[-1]}0", name)
        await self.tenant.user("offline", "--extension", "208")
        self.far = await self.stage.far_phone("84909111222", self.carrier.address)
        self.firm = await Firm.open(self.stage)

    async def person(self, name: str, number: str, *contacts: str) -> Device:
        device = await self.tenant.user(name, "--extension", number)
        await self.stage.sipp_phone(device, contacts[0])
        for contact in contacts[1:]:
            await self.stage.sipp_phone(await self.tenant.device(name), contact)
        return device

    # ---- Scenes -----------------------------------------------------------------------------------

    async def click(self, number: str, hang_up: bool = False) -> None:
        await self.tenant.click(self.agent, number, client_ref="crm-7")
        await self.phone.wait_for("CALL_ESTABLISHED")
        if hang_up:
            await asyncio.sleep(1)
            await self.phone.hang_up()
        await self.phone.wait_for("CALL_CLOSED")

    async def click_to(self, username: str, contact: str) -> None:
        device = await self.tenant.user(username)
        await self.stage.sipp_phone(device, contact)
        await self.tenant.click(device, "84901230200")

    async def dial(self, number: str, after: str = "", phone: Phone | None = None) -> None:
        phone = phone or self.phone
        await phone.dial(number)
        if after:
            await phone.wait_for(after)
            await asyncio.sleep(1)
            await phone.hang_up()
        await phone.wait_for("CALL_CLOSED")

    async def inbound(self, did: str, after: str = "") -> None:
        await self.far.command("dial", f"sip:{did}@{self.server.sip}")
        if after:
            await self.far.wait_for(after)
            await asyncio.sleep(1)
            await self.far.hang_up()
        await self.far.wait_for("CALL_CLOSED")

    async def hold(self) -> None:
        await self.phone.dial("201")
        await self.phone.wait_for("CALL_ESTABLISHED")
        for command in ("hold", "resume"):
            await asyncio.sleep(0.7)
            await self.phone.command(command)
        await asyncio.sleep(0.7)
        await self.phone.hang_up()
        await self.phone.wait_for("CALL_CLOSED")

    async def picked_up_late(self) -> None:
        """An inbound call on hold by the person who was called."""
        await self.phone.dial("110")
        await self.hand_phone.wait_for("CALL_INCOMING")
        await asyncio.sleep(1)
        await self.hand_phone.accept()
        await self.phone.wait_for("CALL_ESTABLISHED")
        await asyncio.sleep(0.5)
        await self.hand_phone.command("hold")
        await asyncio.sleep(0.5)
        await self.hand_phone.hang_up()
        await self.phone.wait_for("CALL_CLOSED")

    async def transfer(self, attended: bool) -> None:
        device = await self.tenant.user("boss2" if attended else "boss1")
        boss = await self.stage.party(device)
        first = await boss.dial("201").up()
        await asyncio.sleep(0.6)
        if attended:
            second = await boss.dial("84901230200").up()
            await asyncio.sleep(0.6)
            await first.transfer(second)
        else:
            await first.transfer("84901230200")
        await asyncio.sleep(1.5)
        await self.hang_up_all()
        await boss.close()

    async def moved(self, scene: Scene) -> None:
        """One of the scenes that scripted parties play."""
        self.firm.begin()
        try:
            await scene()
        finally:
            await self.firm.end()

    async def hang_up_all(self) -> None:
        """The far end of what was transferred leaves."""
        invite = (await self.carrier.invited("84901230200")).number
        assert invite
        found = credentials(self.server.data / "engine")
        ari = Ari(found.port, found.password, lambda event: None)
        done = asyncio.Event()

        async def work() -> None:
            for channel in await ari.request("GET", "channels"):
                await ari.request("DELETE", f"channels/{channel['id']}")
                break
            done.set()

        task = asyncio.create_task(ari.run(work, lambda: None))
        await done.wait()
        task.cancel()

    async def engine_dies(self, number: str, event: str) -> None:
        await self.phone.dial(number)
        await self.phone.wait_for(event)
        await asyncio.sleep(1.2)
        self.server.kill9_engine()
        await asyncio.sleep(1)
        await until(self.server.healthy, "the engine again", 30)
        await self.phone.hang_up()
        await asyncio.sleep(1)

    def scenes(self) -> dict[str, Scene]:
        out, moved = "84905550", moved_scenes.scenes(self.firm)
        return {
            "click answered": lambda: self.click("84901010903"),
            "click busy": lambda: self.click("84901010486"),
            "click declined 603": lambda: self.click("84901010603"),
            "click no such number": lambda: self.click("84901010404"),
            "click unavailable": lambda: self.click("84901010480"),
            "click trunk failed": lambda: self.click("84901010503"),
            "click no answer": lambda: self.click("84901010000"),
            "click agent hangs up first": lambda: self.click("84901010000", True),
            "click device declines": lambda: self.click_to("c1", "p0603"),
            "click device busy": lambda: self.click_to("c2", "p0486"),
            "click device never picks up": lambda: self.click_to("c3", "p0000"),
            "click extension answered": lambda: self.click("201", True),
            "outbound answered": lambda: self.dial(f"{out}0200", "CALL_ESTABLISHED"),
            "outbound early media": lambda: self.dial(f"{out}0183", "CALL_ESTABLISHED"),
            "outbound busy": lambda: self.dial(f"{out}0486"),
            "outbound no answer": lambda: self.dial(f"{out}0000"),
            "outbound no such number": lambda: self.dial(f"{out}0404"),
            "outbound cancelled": lambda: self.dial(f"{out}0000", "CALL_RINGING"),
            "outbound refused": lambda: self.dial("*99#"),
            "internal answered": lambda: self.dial("201", "CALL_ESTABLISHED"),
            "internal busy": lambda: self.dial("202"),
            "internal declined": lambda: self.dial("203"),
            "internal nobody": lambda: self.dial("204"),
            "internal cancelled": lambda: self.dial("204", "CALL_RINGING"),
            "internal offline": lambda: self.dial("208"),
            "internal one declines one rings": lambda: self.dial("207"),
            "internal one declines caller cancels": lambda: self.dial("207", "CALL_RINGING"),
            "inbound answered": lambda: self.inbound(f"{DID}1", "CALL_ESTABLISHED"),
            "inbound nobody": lambda: self.inbound(f"{DID}40"),
            "inbound abandoned": lambda: self.inbound(f"{DID}40", "CALL_RINGING"),
            "inbound busy": lambda: self.inbound(f"{DID}20"),
            "inbound all busy": lambda: self.inbound(f"{DID}50"),
            "inbound race": lambda: self.inbound(f"{DID}60", "CALL_ESTABLISHED"),
            "inbound one busy one rings": lambda: self.inbound(f"{DID}70"),
            "inbound unknown number": lambda: self.inbound("84280000000"),
            "held": self.hold,
            "held by the callee": self.picked_up_late,
            "blind transfer": lambda: self.transfer(False),
            "attended transfer": lambda: self.transfer(True),
            **{name: lambda each=each: self.moved(each) for name, each in moved.items()},
            "engine dies in talk": lambda: self.engine_dies("201", "CALL_ESTABLISHED"),
            "engine dies ringing": lambda: self.engine_dies("204", "CALL_RINGING"),
        }

    # ---- Keeping ----------------------------------------------------------------------------------

    async def play(self, name: str, scene: Scene) -> None:
        row, line = self.log.stat().st_size, self._heard().count(b"\n")
        try:
            await asyncio.wait_for(scene(), 40)
        except Exception as error:
            print(f"{name}: FAILED {error!r}", flush=True)
        await until(self._quiet, f"the end of {name}", 20)
        await self.keep(name, self.log.read_bytes()[row:], self._heard().splitlines()[line:])

    def _heard(self) -> bytes:
        return self.heard.read_bytes() if self.heard.exists() else b""

    async def _quiet(self) -> bool:
        before = self.log.stat().st_size
        await asyncio.sleep(0.5)
        database = open_database(self.server.data / "trunkline.db", self.key)
        live = await database.calls.open_calls(credentials(self.server.data / "engine").system)
        await database.close()
        return not live and before == self.log.stat().st_size

    @property
    def key(self) -> Any:
        return open_key(self.server.data / "secret.key")

    async def keep(self, name: str, raw: bytes, heard: list[bytes]) -> None:
        folder = SCENARIOS / name.replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cel.csv").write_bytes(raw)
        (folder / "signals.jsonl").write_bytes(b"".join(one + b"\n" for one in heard))
        taken = LogFollower(folder / "cel.csv", None).read()
        if taken is None or taken.skipped:
            print(f"{name}: no whole rows", flush=True)
            return
        database = open_database(self.server.data / "trunkline.db", self.key)
        endpoints = {endpoint_of(row.channel) for row in taken.rows if row.channel}
        owners = {
            each: (await database.directory.endpoint_owner(each)) for each in sorted(endpoints)
        }
        calls = {row.linked_id for row in taken.rows} | {row.unique_id for row in taken.rows}
        own = [
            fact
            for call in sorted(calls)
            for fact in (await database.calls.facts(call))
            if isinstance(fact, f.CallRequested | f.EngineDied)
        ]
        named = {owner.user_id for owner in owners.values() if owner and owner.user_id}
        named |= set(re.findall(r"user=([0-9a-f]{32})", raw.decode()))
        users = {each: (await database.directory.user_owner(each)) for each in sorted(named)}
        await database.close()
        recorded = Recorded(
            owners={k: v for k, v in owners.items() if v},
            users={
                key: RecordedUser(
                    one.id, one.username, one.display_name, one.extension, one.sip_users
                )
                for key, one in users.items()
                if one
            },
            facts=own,
        )
        text = msgspec.json.format(msgspec.json.encode(recorded), indent=2)
        (folder / "recorded.json").write_bytes(text + b"\n")
        print(f"{name}: {len(taken.rows)} rows, {len(heard)} signals", flush=True)


async def main(wanted: list[str]) -> None:
    ports, folder = Ports(), Path(tempfile.mkdtemp())
    heard = folder / "heard.jsonl"
    os.environ["TRUNKLINE_HEARD"] = str(heard)
    start = folder / "trunkline"
    start.write_text(
        f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent}/heard_server.py "$@"\n'
    )
    start.chmod(0o755)
    server_module.TRUNKLINE = str(start)
    server = Server(folder / "data", ports.one(), ports.one(), ports.range(200), FAST)
    stage = Stage(server, ports, folder)
    try:
        await server.start()
        recorder = Recorder(stage, heard)
        await recorder.set_up()
        for name, scene in recorder.scenes().items():
            if not wanted or name in wanted:
                await recorder.play(name, scene)
    finally:
        await stage.close()
        await server.stop()
        ports.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

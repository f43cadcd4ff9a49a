"""The engine port on Asterisk: commands and device states by ARI, trunks by a file and a reload.

AMI is used where ARI refuses to command calls that the dialplan owns.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from trunkline.engine.commands.ami import Ami, AmiRefused
from trunkline.engine.commands.ari import Ari, AriError, segment
from trunkline.engine.commands.control_socket import Control
from trunkline.engine.config import trunks as trunk_file
from trunkline.engine.config.configuration import TRUNKS_FILE, event_log, write_private
from trunkline.engine.config.contacts import is_secure
from trunkline.engine.config.run_directory import run_directory_of
from trunkline.engine.port import (
    AnsweredInSip,
    Channel,
    ContactCame,
    EndpointChanged,
    EngineUnavailable,
    HoldChanged,
    LegInSip,
    OnSignal,
    Originate,
    OriginateFailed,
    Rang,
    TransferFailed,
    Trunk,
)
from trunkline.engine.watch import reach
from trunkline.engine.watch.log_room import LogRoom
from trunkline.engine.watch.trunks import TrunkWatch

log = structlog.get_logger()

_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds between two looks at a phone whose first OPTIONS is under way. Asterisk itself ends that:
``max_initial_qualify_time`` in pjsip.conf, and the 3 s that an answer may take; the rest is for load.
"""
_MISSED_EVERY = 5.0
"""Seconds between two looks for phones whose first registering the engine missed."""
_RELOADED = ("res_pjsip", "res_pjsip_endpoint_identifier_ip", "res_pjsip_outbound_registration")

_SIGNS = (
    "rxcount", "rxoctetcount", "rtt", "maxrtt", "minrtt", "normdevrtt", "stdevrtt",
    "rxjitter", "remote_normdevjitter", "remote_stdevjitter", "remote_maxjitter", "txploss",
    "remote_normdevrxploss", "remote_stdevrxploss", "remote_maxrxploss",
)  # fmt: skip
"""The values of ``rtp_statistics`` that only the far end moves: ``rxcount`` moves with each packet (also when
Asterisk passes it on unread), the others with each report block that it sends (ast_rtcp_interpret() in
res_rtp_asterisk.c). Names in ``tx`` or ``local_`` move with what Asterisk sends, except ``txploss``.
A report without a block leaves no trace; a phone that hears nothing sends such reports.
"""


class Asterisk:
    def __init__(
        self,
        home: Path,
        port: int,
        password: str,
        on_signal: OnSignal,
        *,
        ami: Ami,
        trunk_qualify_seconds: int = 15,
        tls_ca: str = "",
        caches: Sequence[str] = (),
        keep_free_mb: int = 0,
    ) -> None:
        """``tls_ca`` is a PEM file of what trunks may show besides what the machine trusts.

        ``caches`` names Asterisk's caches of the directory, which are emptied when the directory has changed."""
        self._home = home
        self._caches = caches
        self._on_signal = on_signal
        self._ari = Ari(port, password, self._on_event)
        self._ami = ami
        self._control = Control(run_directory_of(home))
        self._trunks = TrunkWatch(
            self._control,
            on_signal,
            lambda host, port: reach.certificate_trouble(host, port, tls_ca),
        )
        self.log_room = LogRoom(event_log(home), keep_free_mb, self._control.room_in_log)
        self._qualify_seconds = trunk_qualify_seconds
        self._endpoints: dict[str, bool] = {}
        self._states_known = False
        self._just_met: asyncio.Queue[str] = asyncio.Queue()
        self._sync_lock = asyncio.Lock()

    @property
    def up(self) -> bool:
        """Is ARI connected, and are all device states known?"""
        return self._states_known and self._ari.connected

    @property
    def has_room(self) -> bool:
        return self.log_room.there

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ari.run(self._connected, self._cut_off))
            tasks.create_task(self._trunks.run())
            tasks.create_task(self.log_room.watch())
            tasks.create_task(self._find_missed())
            tasks.create_task(self._qualify_just_met())

    async def answers(self) -> None:
        if not self.up:
            raise EngineUnavailable("the phone engine does not answer yet")

    def move(self, port: int, ami_port: int) -> None:
        """Reach ARI and AMI at these ports from the next connection on."""
        self._ari.move(port)
        self._ami.move(ami_port)

    async def refuse_new_calls(self, refuse: bool) -> None:
        """Have the dialplan refuse new calls, or take them again; live calls go on."""
        value = "1" if refuse else "0"
        await self._ari.request("POST", f"asterisk/variable?variable=DRAINING&value={value}")

    def expect(self, endpoints: Iterable[str]) -> None:
        """Tell of these devices at the first connection, too, even if the engine has not met them."""
        self._endpoints |= dict.fromkeys(endpoints, False)

    def online(self, endpoint: str) -> bool | None:
        return self._endpoints.get(endpoint)

    def endpoints(self) -> Mapping[str, bool]:
        return self._endpoints

    async def look(self, endpoint: str) -> bool:
        """An endpoint that the engine never loaded is offline.

        A phone that has just registered has yet to answer its first OPTIONS, which Asterisk sends
        within a second: this waits for the answer. Events do not tell whether one is due, since
        they may come later than the request that asks; a phone's contact is there before its 200.
        """
        for pause in _PAUSES:
            contacts = await self._control.contacts(endpoint)
            if True in contacts or None not in contacts:
                return True in contacts
            if await self._comes_online(endpoint, pause):
                return True
        return False

    async def _comes_online(self, endpoint: str, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self._endpoints.get(endpoint) and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return self._endpoints.get(endpoint, False)

    async def originate(self, call: Originate) -> None:
        body = {
            "endpoint": f"PJSIP/{call.endpoint}",
            "context": call.context,
            "extension": call.extension,
            "priority": 1,
            "callerId": call.caller_id,
            "timeout": call.timeout,
            "channelId": call.call_id,
            "variables": call.variables,
        }
        try:
            await self._ari.request("POST", "channels", body)
        except EngineUnavailable:
            # The engine may have taken it all the same: a call that was refused must not ring.
            with contextlib.suppress(EngineUnavailable):
                await self.hang_up(call.call_id)
            raise
        except AriError as error:
            if error.status >= 500:
                raise OriginateFailed(f"the call could not be sent: {error}") from error
            raise EngineUnavailable(f"the phone engine answered {error}") from error

    async def hang_up(self, leg_id: str) -> None:
        with contextlib.suppress(AriError):
            await self._ari.request("DELETE", f"channels/{segment(leg_id)}?reason=normal")

    async def transfer(self, leg_id: str, context: str, extension: str) -> None:
        """The other leg's channel goes on in the dialplan, with BLINDTRANSFER set."""
        where = {"Channel": leg_id, "Context": context, "Exten": extension}
        try:
            await self._ami.act("BlindTransfer", where)
        except AmiRefused as error:
            raise TransferFailed(str(error)) from error

    async def heard_of(self, leg_id: str) -> tuple[float, ...] | None:
        """RTP by its counts, RTCP by its report blocks (see ``_SIGNS``)."""
        try:
            told = await self._ari.request("GET", f"channels/{segment(leg_id)}/rtp_statistics")
        except AriError:
            return None
        return tuple(told.get(name, 0) for name in _SIGNS)

    async def on_hold(self, leg_id: str) -> bool:
        """What the far end's last SDP said: sendonly, inactive, or an address of zeros."""
        path = f"channels/{segment(leg_id)}/variable?variable=CHANNEL(rtp,hold)"
        try:
            told = await self._ari.request("GET", path)
        except AriError:
            return False
        return bool(told["value"] == "1")

    async def channels(self) -> list[Channel]:
        found = await self._ari.request("GET", "channels")
        return [
            Channel(each["id"], each["state"] == "Ringing", each.get("protocol_id", ""))
            for each in found
        ]

    async def sync(
        self, trunks: Iterable[Trunk], may_stay: Callable[[str, bool], Awaitable[bool]]
    ) -> None:
        """Write the trunks and reload the modules that read them, if they changed; forget lost devices."""
        async with self._sync_lock:
            if self.write_trunks(trunks) and self._ari.connected:
                await self._reload(*_RELOADED)
            if self._ari.connected:
                await self.forget_objects()
                await self._forget_all_but(may_stay)
                # An object that was being read when the directory changed may have come after the first time.
                await self.forget_objects()

    async def _reload(self, *modules: str) -> None:
        async with self._control.everyone_listed():
            for module in modules:
                await self._ari.request("PUT", f"asterisk/modules/{module}.so")

    async def _find_missed(self) -> None:
        """The engine misses phones when too many register at once for its searches; a reload finds them."""
        while True:
            await asyncio.sleep(_MISSED_EVERY)
            with contextlib.suppress(EngineUnavailable, AriError):
                if self._ari.connected and await self._control.missed_some():
                    async with self._sync_lock:
                        await self._reload("res_pjsip")

    async def _qualify_just_met(self) -> None:
        """A phone that the engine has just met gets its first OPTIONS now, and not within a second."""
        while True:
            endpoint = await self._just_met.get()
            if not self._endpoints.get(endpoint):
                with contextlib.suppress(EngineUnavailable):
                    await self._control.qualify(endpoint)

    def write_trunks(self, trunks: Iterable[Trunk]) -> bool:
        """Write the trunks' file, and watch these trunks; True if the file has changed."""
        file = self._home / "etc" / TRUNKS_FILE
        trunks = list(trunks)
        text = trunk_file.configuration(trunks, self._qualify_seconds)
        self._trunks.keep(trunks)
        if file.exists() and file.read_text() == text:
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, text)
        return True

    async def _connected(self) -> None:
        await self.forget_objects()  # no change reached it while we were cut off
        await self._control.list_new_alone()
        await self.refuse_new_calls(False)
        # Asked by technology, ARI answers 404 while it knows none.
        found = await self._ari.request("GET", "endpoints")
        now = time.time_ns() // 1000
        states = {each["resource"]: each.get("state") == "online" for each in found}
        gone = {name: False for name in self._endpoints if name not in states}
        for name, online in {**gone, **states}.items():
            self._endpoints[name] = online
            self._on_signal(EndpointChanged(name, online, now))
        for _, name, secure in await self._contacts():
            self._on_signal(ContactCame(name, secure, now))
        for channel in await self.channels():
            self._on_signal(LegInSip(channel.leg_id, channel.sip_call_id))
            if channel.ringing:
                self._on_signal(Rang(channel.leg_id, now))
        self._trunks.connected()
        self._states_known = True
        log.info("engine.connected", endpoints=len(states))

    def _cut_off(self) -> None:
        self._states_known = False

    def _on_event(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "PeerStatusChange":
            endpoint = event["endpoint"]
            online = endpoint.get("state") == "online"
            self._endpoints[endpoint["resource"]] = online
            self._on_signal(EndpointChanged(endpoint["resource"], online, _at(event)))
        elif kind == "ContactStatusChange":
            endpoint, contact = event["endpoint"]["resource"], event["contact_info"]
            self._trunks.contact_changed(endpoint, contact, _at(event))
            if contact["contact_status"] == "NonQualified" and not self._trunks.watches(endpoint):
                self._just_met.put_nowait(endpoint)
                self._on_signal(ContactCame(endpoint, is_secure(contact["uri"]), _at(event)))
        elif kind == "ChannelStateChange":
            self._in_sip(event["channel"])
            if event["channel"]["state"] == "Ringing":
                self._on_signal(Rang(event["channel"]["id"], _at(event)))
        elif kind == "Dial":
            # A 183 changes no channel's state: only this event tells of it.
            if event.get("dialstatus") == "PROGRESS":
                self._on_signal(Rang(event["peer"]["id"], _at(event)))
        elif kind in ("ChannelHangupRequest", "ChannelDestroyed"):
            self._in_sip(event["channel"])
            if code := event.get("tech_cause"):
                self._on_signal(AnsweredInSip(event["channel"]["id"], int(code)))
        elif kind in ("ChannelHold", "ChannelUnhold"):
            self._on_signal(HoldChanged(event["channel"]["id"], _at(event), kind == "ChannelHold"))

    def _in_sip(self, channel: dict[str, Any]) -> None:
        self._on_signal(LegInSip(channel["id"], channel.get("protocol_id", "")))

    async def forget_objects(self) -> None:
        """Have the engine read the directory anew, where it keeps what it has read."""
        for cache in self._caches:
            await self._control.forget_objects(cache)

    async def _forget_all_but(self, may_stay: Callable[[str, bool], Awaitable[bool]]) -> None:
        """Remove the contacts of devices that are gone: a device that is disabled leaves its contact behind."""
        for contact, device, secure in await self._contacts():
            if await may_stay(device, secure):
                continue
            with contextlib.suppress(AriError):
                path = f"asterisk/config/dynamic/res_pjsip/contact/{segment(contact)}"
                await self._ari.request("DELETE", path)

    async def _contacts(self) -> list[tuple[str, str, bool]]:
        return await asyncio.to_thread(_contacts, self._home / "lib" / "astdb.sqlite3")


def _contacts(astdb: Path) -> list[tuple[str, str, bool]]:
    """All registered contacts, from Asterisk's own database: id (``<aor>;@<hash>``), AOR, over TLS?"""
    prefix = "/registrar/contact/"
    query = "SELECT key, json_extract(value, '$.uri') FROM astdb WHERE key LIKE ?"
    with contextlib.closing(sqlite3.connect(f"file:{astdb}?mode=ro", uri=True)) as connection:
        try:
            rows = connection.execute(query, (prefix + "%",))
            found = [(str(key)[len(prefix) :], str(uri)) for key, uri in rows]
        except sqlite3.OperationalError:
            return []
    return [(id_, id_.partition(";")[0], is_secure(uri)) for id_, uri in found]


def _at(event: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1_000_000)

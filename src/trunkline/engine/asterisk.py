"""The engine port on Asterisk: commands and device states by ARI, trunks by a file and a reload."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from trunkline.engine import trunks as trunk_file
from trunkline.engine.ari import Ari, AriError, segment
from trunkline.engine.configuration import TRUNKS_FILE, write_private
from trunkline.engine.port import (
    AnsweredInSip,
    Channel,
    EndpointChanged,
    EngineUnavailable,
    Held,
    OnSignal,
    Originate,
    OriginateFailed,
    Rang,
    Trunk,
)

log = structlog.get_logger()

_FIRST_OPTIONS = 4.0
"""Seconds: ``max_initial_qualify_time`` in pjsip.conf, and the 3 s that an answer may take."""
_RELOADED = ("res_pjsip", "res_pjsip_endpoint_identifier_ip", "res_pjsip_outbound_registration")


class Asterisk:
    """A running Asterisk, as the verbs see it."""

    def __init__(self, home: Path, port: int, password: str, on_signal: OnSignal) -> None:
        self._home = home
        self._on_signal = on_signal
        self._ari = Ari(port, password, self._event)
        self._endpoints: dict[str, bool] = {}
        self._fresh_until: dict[str, float] = {}
        self._known = False
        self._sync_lock = asyncio.Lock()

    @property
    def up(self) -> bool:
        """Is ARI connected, and are all device states known?"""
        return self._known and self._ari.connected

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        await self._ari.run(self._connected, self._cut_off)

    async def answers(self) -> None:
        """Returns when the engine is up; raises EngineUnavailable when it is not."""
        if not self.up:
            raise EngineUnavailable("the phone engine does not answer yet")

    def move(self, port: int) -> None:
        """From the next connection on, reach ARI at this port."""
        self._ari.move(port)

    async def refuse_new_calls(self, refuse: bool) -> None:
        """Have the dialplan turn new calls away, or take them again; live ones go on."""
        value = "1" if refuse else "0"
        await self._ari.request("POST", f"asterisk/variable?variable=DRAINING&value={value}")

    def online(self, endpoint: str) -> bool | None:
        """Is it registered and answering OPTIONS, by the events so far?"""
        return self._endpoints.get(endpoint)

    def endpoints(self) -> Mapping[str, bool]:
        """Every endpoint heard of -> online."""
        return self._endpoints

    async def look(self, endpoint: str) -> bool:
        """Ask the engine itself; one that it never loaded is offline.

        A phone that has just registered is offline until it has answered its first OPTIONS, which
        Asterisk sends within a second: that answer is waited for.
        """
        while not (online := await self._look_once(endpoint)) and self._is_fresh(  # noqa: ASYNC110
            endpoint
        ):
            await asyncio.sleep(0.02)
        return online

    def _is_fresh(self, endpoint: str) -> bool:
        return time.monotonic() < self._fresh_until.get(endpoint, 0.0)

    async def _look_once(self, endpoint: str) -> bool:
        try:
            found = await self._ari.request("GET", f"endpoints/PJSIP/{segment(endpoint)}")
        except AriError as error:
            if error.status == 404:
                return False
            raise EngineUnavailable(f"the phone engine answered {error}") from error
        return bool(found.get("state") == "online")

    async def originate(self, call: Originate) -> None:
        """Ring the endpoint under the call's id; from then on the dialplan has it."""
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
            # It may have been taken all the same: a call that was refused must not ring.
            with contextlib.suppress(EngineUnavailable):
                await self.hang_up(call.call_id)
            raise
        except AriError as error:
            if error.status >= 500:
                raise OriginateFailed(f"the call could not be sent: {error}") from error
            raise EngineUnavailable(f"the phone engine answered {error}") from error

    async def hang_up(self, leg_id: str) -> None:
        """End a leg; one that is gone already is no error."""
        with contextlib.suppress(AriError):
            await self._ari.request("DELETE", f"channels/{segment(leg_id)}?reason=normal")

    async def channels(self) -> list[Channel]:
        """The legs that live now."""
        found = await self._ari.request("GET", "channels")
        return [Channel(each["id"], each["state"] == "Ringing") for each in found]

    async def sync(self, trunks: Iterable[Trunk], devices: Container[str]) -> None:
        """Write the trunks and reload what reads them, if they changed; forget lost devices."""
        async with self._sync_lock:
            if self.write_trunks(trunks) and self._ari.connected:
                for module in _RELOADED:
                    await self._ari.request("PUT", f"asterisk/modules/{module}.so")
            if self._ari.connected:
                await self._forget_all_but(devices)

    def write_trunks(self, trunks: Iterable[Trunk]) -> bool:
        """Write the trunks' file; True if that changed it."""
        file = self._home / "etc" / TRUNKS_FILE
        text = trunk_file.configuration(trunks)
        if file.exists() and file.read_text() == text:
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, text)
        return True

    async def _connected(self) -> None:
        await self.refuse_new_calls(False)
        found = await self._ari.request(
            "GET", "endpoints"
        )  # by technology: 404 while none is known
        now = time.time_ns() // 1000
        states = {each["resource"]: each.get("state") == "online" for each in found}
        gone = {name: False for name in self._endpoints if name not in states}
        for name, online in {**gone, **states}.items():
            self._endpoints[name] = online
            self._on_signal(EndpointChanged(name, online, now))
        for channel in await self.channels():
            if channel.ringing:
                self._on_signal(Rang(channel.leg_id, now))
        self._known = True
        log.info("engine.connected", endpoints=len(states))

    def _cut_off(self) -> None:
        self._known = False

    def _event(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "PeerStatusChange":
            endpoint = event["endpoint"]
            online = endpoint.get("state") == "online"
            self._endpoints[endpoint["resource"]] = online
            self._on_signal(EndpointChanged(endpoint["resource"], online, _at(event)))
        elif kind == "ContactStatusChange":
            self._contact_changed(event["endpoint"]["resource"], event["contact_info"])
        elif kind == "ChannelStateChange":
            if event["channel"]["state"] == "Ringing":
                self._on_signal(Rang(event["channel"]["id"], _at(event)))
        elif kind in ("ChannelHangupRequest", "ChannelDestroyed"):
            if code := event.get("tech_cause"):
                self._on_signal(AnsweredInSip(event["channel"]["id"], int(code)))
        elif kind in ("ChannelHold", "ChannelUnhold"):
            self._on_signal(Held(event["channel"]["id"], _at(event), kind == "ChannelHold"))

    def _contact_changed(self, endpoint: str, contact: dict[str, Any]) -> None:
        if contact.get("contact_status") == "NonQualified":
            self._fresh_until[endpoint] = time.monotonic() + _FIRST_OPTIONS
        else:
            self._fresh_until.pop(endpoint, None)

    async def _forget_all_but(self, devices: Container[str]) -> None:
        """Remove the contacts of devices that are gone: disabling one leaves its contact behind."""
        for contact in await asyncio.to_thread(_contacts, self._home / "lib" / "astdb.sqlite3"):
            if contact.partition(";")[0] in devices:
                continue
            with contextlib.suppress(AriError):
                path = f"asterisk/config/dynamic/res_pjsip/contact/{segment(contact)}"
                await self._ari.request("DELETE", path)


def _contacts(astdb: Path) -> list[str]:
    """The ids of all registered contacts (``<aor>;@<hash>``), from Asterisk's own database."""
    prefix = "/registrar/contact/"
    with contextlib.closing(sqlite3.connect(f"file:{astdb}?mode=ro", uri=True)) as connection:
        try:
            rows = connection.execute("SELECT key FROM astdb WHERE key LIKE ?", (prefix + "%",))
            return [str(key)[len(prefix) :] for (key,) in rows]
        except sqlite3.OperationalError:
            return []


def _at(event: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1_000_000)

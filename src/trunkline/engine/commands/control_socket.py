"""Asterisk's control socket: what its command line tells and ARI does not.

ARI reads neither the state of a contact nor that of an outbound registration, because its global variables
are no dialplan functions (``ast_ari_asterisk_get_global_var``). The socket is used as
``asterisk -rx`` uses it (main/asterisk.c): a greeting line comes, ``cli quit after COMMAND`` and a
zero byte go, and the answer ends with the connection.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import stamina

from trunkline.engine.config import registered
from trunkline.engine.config.run_directory import SOCKET
from trunkline.engine.port import EngineUnavailable

_TIMEOUT = 5.0

# res_pjsip/location.c: "%*s:  %s/%-*.*s %-10.10s %-7.7s %11.3f" with ast_sip_get_contact_short_status_label()
_CONTACT = re.compile(r"^ *Contact: .* (Avail|Unavail|NonQual|Unknown|Removed) +\S+ *$", re.M)
# res_pjsip_outbound_registration.c: " %-s/%-*.*s  %-26s  %-16s (exp. 12s)"
_REGISTRATION = re.compile(
    r"^ (\S+?)/.*  (Registered|Rejected|Unregistered)(?: +\(exp\. .*\))? *$", re.M
)

# engine/recorder/cel_event_log.c
_ROOM = re.compile(r"^room ([01]) refused (\d+) waiting (\d+) lost (\d+)", re.M)


class RoomInLog(NamedTuple):
    """Has the event log room for new calls? Calls that were refused, rows that wait for the disk, rows that are lost."""

    there: bool
    refused: int = 0
    waiting: int = 0
    lost: int = 0


class Control:
    """The control socket of the engine whose sockets are in ``run``. Each method raises EngineUnavailable."""

    def __init__(self, run: Path) -> None:
        self._socket = run / SOCKET
        self._turn = asyncio.Lock()  # two may wait for accept(2): a third one gets EAGAIN

    async def contacts(self, aor: str) -> list[bool | None]:
        """For each contact: does it answer OPTIONS? None while its first one is under way.

        A contact is there before its REGISTER is answered, so a phone that registered is never missed.
        The list is empty where there is no contact, or no such AOR.
        """
        found = _CONTACT.findall(await self._ask(f"pjsip show aor {aor}"))
        return [_ANSWERS[state] for state in found]

    async def registrations(self) -> dict[str, bool | None]:
        """Every outbound registration -> does it stand? None while the first REGISTER is under way."""
        found = _REGISTRATION.findall(await self._ask("pjsip show registrations"))
        return {name: _STANDS[state] for name, state in found}

    async def room_in_log(self) -> RoomInLog:
        """An engine of an older version does not know: it takes every call."""
        found = _ROOM.search(await self._ask("event log show"))
        return (
            RoomInLog(found[1] == "1", *map(int, found.groups()[1:])) if found else RoomInLog(True)
        )

    async def forget_objects(self, cache: str) -> None:
        """Empty one of Asterisk's memory caches; does nothing where there is none of that name."""
        await self._ask(f"sorcery memory cache expire {cache}")

    async def qualify(self, endpoint: str) -> None:
        """Have OPTIONS sent to its contacts now."""
        await self._ask(f"pjsip qualify {endpoint}")

    @asynccontextmanager
    async def everyone_listed(self) -> AsyncIterator[None]:
        """A reload inside finds everybody who has a contact (``registered.py``)."""
        await self._ask(registered.LIST_ALL)
        yield
        await self._ask(registered.RELOADED)

    async def list_new_alone(self) -> None:
        """Have searches find only phones that have just registered."""
        await self._ask(registered.LIST_NEW)

    async def missed_some(self) -> bool:
        """May the engine have missed phones that registered, since the last reload with everyone listed?"""
        said = await self._ask(f"database get {registered.FAMILY} {registered.MISSED}")
        return said.startswith("Value:")

    async def _ask(self, command: str) -> str:
        try:
            async with self._turn, asyncio.timeout(_TIMEOUT):
                async for attempt in stamina.retry_context(
                    on=_busy, attempts=None, timeout=None, wait_initial=0.02, wait_jitter=0.02
                ):
                    with attempt:
                        return await self._answer(command)
        except OSError as error:  # TimeoutError is one
            raise EngineUnavailable(f"the phone engine's control socket: {error!r}") from error
        raise AssertionError("unreachable: every attempt returns or raises")

    async def _answer(self, command: str) -> str:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            writer.write(f"cli quit after {command}\0".encode())
            greeting, _, answer = (await reader.read(-1)).decode(errors="replace").partition("\n")
        finally:
            writer.close()
        if not greeting:
            raise ConnectionResetError("closed without a greeting")
        return answer


def _busy(error: Exception) -> bool:
    """Another console was in the way; false where nobody listens at all."""
    return isinstance(error, OSError) and not isinstance(
        error, (FileNotFoundError, ConnectionRefusedError, TimeoutError)
    )


_ANSWERS = {"Avail": True, "Unavail": False, "Removed": False, "NonQual": None, "Unknown": None}
_STANDS = {"Registered": True, "Rejected": False, "Unregistered": None}

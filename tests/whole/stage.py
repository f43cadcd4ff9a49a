"""Everyone who takes part in a test: the account, its phones, its carriers, its listeners."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .api import Api
from .carrier import Answering, Calling
from .listener import EVERYTHING, Listener
from .party import Party
from .phone import Line, Phone
from .ports import Ports, loopback
from .server import Server
from .sip import Caller

L = TypeVar("L", bound=Listener)


class Device(msgspec.Struct, frozen=True):
    """A device as the command line made it."""

    sip_user: str
    password: str
    username: str


class Tenant:
    """An account with one application, made by the command line."""

    def __init__(self, server: Server, name: str, api: Api) -> None:
        self.server, self.name, self.api = server, name, api

    @property
    def id(self) -> str:
        """The account's id."""
        return self.api.account_id

    async def user(self, username: str, *options: str) -> Device:
        """A user with one device."""
        await self.server.cli("user", "create", "--account", self.name, username, *options)
        return await self.device(username)

    async def device(self, username: str) -> Device:
        """One more device for a user."""
        sip_user = f"{username}-{secrets.token_hex(4)}"
        made = await self.server.cli(
            *("device", "create", "--account", self.name, "--user", username),
            *("--sip-user", sip_user),
        )
        return Device(made["sipUser"], made["sipPassword"], username)

    async def people(self, **people: tuple[str, ...]) -> list[Device]:
        """Several users at once, each with one device: name and options of each."""
        commands: list[tuple[str, ...]] = []
        for name, options in people.items():
            sip_user = f"{name}-{secrets.token_hex(4)}"
            whose = ("--account", self.name)
            commands += [
                ("user", "create", *whose, name, *options),
                ("device", "create", *whose, "--user", name, "--sip-user", sip_user),
            ]
        made = (await self.server.commands(*commands))[1::2]
        return [
            Device(one["sipUser"], one["sipPassword"], name)
            for one, name in zip(made, people, strict=True)
        ]

    async def trunk(self, host: str, *options: str, name: str = "carrier") -> Any:
        """A trunk to HOST:PORT."""
        return await self.server.cli(
            "trunk", "create", name, "--account", self.name, "--host", host, *options
        )

    async def number(self, did: str, username: str) -> Any:
        """An inbound number that rings a user."""
        return await self.server.cli(
            "number", "create", "--account", self.name, did, "--to", f"user:{username}"
        )

    async def click(self, device: Device, number: str, **options: str) -> str:
        """Place a call that is taken on; gives its call_id."""
        answer = await self.api.click_to_call(number, device.sip_user, device.password, **options)
        assert (answer.status_code, answer.json()["success"]) == (200, True), answer.text
        return str(answer.json()["call_id"])


class Stage:
    """Makes all of them, and ends them all when the test is over."""

    def __init__(self, server: Server, ports: Ports, folder: Path) -> None:
        self.server, self.ports, self.folder = server, ports, folder
        self._ends = AsyncExitStack()

    async def close(self) -> None:
        """End all who were made here."""
        await self._ends.aclose()

    def _place(self, what: str) -> Path:
        return self.folder / f"{what}-{secrets.token_hex(3)}"

    async def tenant(self, *options: str) -> Tenant:
        """A new account."""
        name = f"acme-{secrets.token_hex(4)}"
        account, app = await self.server.commands(
            ("account", "create", name, *options), ("app", "create", "--account", name)
        )
        api = Api(self.server.url, account["accountId"], app["appId"], app["appSecret"])
        self._ends.push_async_callback(api.http.aclose)
        return Tenant(self.server, name, api)

    async def phone(self, device: Device, server: str = "", **options: Any) -> Phone:
        """A softphone for a device, registered."""
        return await self._phone(
            user=device.sip_user,
            password=device.password,
            server=server or self.server.sip,
            **options,
        )

    async def far_phone(self, number: str, address: str, port: int = 0, **options: Any) -> Phone:
        """A softphone out in the world, at a carrier's address; it registers nowhere."""
        return await self._phone(user=number, address=address, port=port, **options)

    async def _phone(self, address: str = "", port: int = 0, **options: Any) -> Phone:
        line = Line(
            address=address or loopback(),
            port=port or self.ports.one(),
            control=self.ports.one(),
            rtp=self.ports.range(20),
            **options,
        )
        phone = Phone(line, self._place(line.user))
        self._ends.push_async_callback(phone.stop)
        return await phone.ready()

    async def carrier(self, address: str = "", port: int = 0, **options: Any) -> Answering:
        """SIPp that answers; see scenarios.py for what its numbers do."""
        media = self.ports.range(60)[0] if options.get("tone") else 0
        carrier = Answering(
            address or loopback(),
            port or self.ports.one(),
            self._place("carrier"),
            media_port=media,
            **options,
        )
        self._ends.push_async_callback(carrier.stop)
        return await carrier.ready()

    def calling(self, address: str, number: str, **options: Any) -> Calling:
        """SIPp that calls a number at the server."""
        media = self.ports.range(60)[0] if options.get("tone") else 0
        calling = Calling(
            address,
            self.ports.one(),
            self._place("calling"),
            self.server.sip,
            number,
            media_port=media,
            **options,
        )
        self._ends.push_async_callback(calling.stop)
        return calling

    async def sipp_phone(self, device: Device, contact: str = "", **options: Any) -> Answering:
        """SIPp as a registered phone; the user part of its contact says how it behaves."""
        address, port = loopback(), self.ports.one()
        caller = Caller(
            address=address,
            port=port,
            server=self.server.sip,
            user=device.sip_user,
            password=device.password,
            contact=f"{contact or device.sip_user}@{address}:{port}",
        )
        answer = await caller.register()
        assert answer.code == 200, answer
        return await self.carrier(address, port, **options)

    async def party(self, device: Device, **options: Any) -> Party:
        """A scripted phone for a device, registered."""
        party = await self.far_party(device.sip_user, password=device.password, **options)
        return await party.register()

    async def far_party(
        self, user: str = "", address: str = "", port: int = 0, **options: Any
    ) -> Party:
        """Somebody scripted out in the world, at a carrier's address; registers nowhere."""
        address, port = address or loopback(), port or self.ports.one()
        party = await Party.open(self.server.sip, address, port, user or "carrier", **options)
        self._ends.push_async_callback(party.close)
        return party

    async def listen(
        self, kind: type[L], tenant: Tenant, after: int | None = None, *bindings: str
    ) -> L:
        """A listener to all of an account's events (or to some), subscribed."""
        token = (await tenant.api.auth_token()).json()["value"]
        listener = kind(self.server.url, tenant.id, token)
        await listener.open(bindings or EVERYTHING, after)
        self._ends.push_async_callback(listener.close)
        return listener


async def together(*waits: Any) -> list[Any]:
    """Do several things at once; the first failure is raised once all have ended."""
    results = await asyncio.gather(*waits, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)

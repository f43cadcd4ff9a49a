"""What the verbs may ask of the phone engine, and the signals that it gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from trunkline.events.state import TrunkReason


class EngineUnavailable(Exception):
    """The engine is down or does not answer; trying again later may help."""


class OriginateFailed(Exception):
    """The engine could not send the call to the device (it has no contact)."""


class TransferFailed(Exception):
    """The engine could not transfer the leg: it is gone, or joined with nobody."""


class Originate(msgspec.Struct, frozen=True):
    """A call to place: ring ``endpoint``; when it answers, run the dialplan at ``extension``.

    ``variables`` are channel variables; names that start with two underscores are inherited.
    """

    call_id: str
    endpoint: str
    context: str
    extension: str
    caller_id: str
    timeout: int
    variables: dict[str, str]


class Trunk(Protocol):
    """A trunk as the engine needs it; ``match`` holds the addresses that calls may come from."""

    @property
    def endpoint(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def transport(self) -> str: ...
    @property
    def auth_user(self) -> str | None: ...
    @property
    def auth_password(self) -> str | None: ...
    @property
    def register(self) -> bool: ...
    @property
    def match(self) -> tuple[str, ...]: ...
    @property
    def srtp(self) -> str: ...


class Rang(msgspec.Struct, frozen=True):
    """The far end of a leg said that it rings. ``at`` is unix microseconds, as everywhere."""

    leg_id: str
    at: int


class HoldChanged(msgspec.Struct, frozen=True):
    """A leg's phone put the other side on hold, or took it back."""

    leg_id: str
    at: int
    held: bool


class AnsweredInSip(msgspec.Struct, frozen=True):
    """The SIP status with which the far end refused a leg."""

    leg_id: str
    code: int


class LegInSip(msgspec.Struct, frozen=True):
    """The Call-ID of a leg's SIP dialog."""

    leg_id: str
    sip_call_id: str


class EndpointChanged(msgspec.Struct, frozen=True):
    """A device came online or went offline. For a trunk it means nothing."""

    endpoint: str
    online: bool
    at: int


class ContactCame(msgspec.Struct, frozen=True):
    """A device registered; ``secure``: over TLS."""

    endpoint: str
    secure: bool
    at: int


class LoginFailed(msgspec.Struct, frozen=True):
    """Somebody gave a wrong SIP password ``count`` times, within a second.

    ``address`` is empty for what came from very many of them; ``device`` is None where there is none of that name.
    """

    at: int
    address: str
    device: str | None
    count: int


class TrunkChanged(msgspec.Struct, frozen=True):
    """A trunk's state is known or has changed; told again after each connection to the engine.

    Up: the carrier answers OPTIONS and, where the trunk registers, has accepted the registration.
    """

    endpoint: str
    up: bool
    at: int
    reason: TrunkReason | None = None
    """Why it is down."""


Signal = (
    Rang | HoldChanged | AnsweredInSip | LegInSip | EndpointChanged | ContactCame | TrunkChanged
)
OnSignal = Callable[[Signal], None]


class Channel(msgspec.Struct, frozen=True):
    leg_id: str
    ringing: bool
    sip_call_id: str = ""


class Engine(Protocol):
    @property
    def up(self) -> bool:
        """Can calls be made now?"""

    @property
    def has_room(self) -> bool:
        """Can a call that begins now be told to its end? Else the engine refuses it: a disk is full."""

    def online(self, endpoint: str) -> bool | None:
        """Is the device registered and answering OPTIONS? None when it is not known here."""

    async def look(self, endpoint: str) -> bool:
        """Ask the engine itself whether the endpoint is online; raises EngineUnavailable."""

    async def originate(self, call: Originate) -> None:
        """Send the call to the device; raises OriginateFailed or EngineUnavailable."""

    async def hang_up(self, leg_id: str) -> None:
        """End a leg; one that is gone already is no error."""

    async def transfer(self, leg_id: str, context: str, extension: str) -> None:
        """Blind transfer: the leg leaves, and the one that it is joined with goes on in the dialplan there.

        Raises TransferFailed or EngineUnavailable.
        """

    async def heard_of(self, leg_id: str) -> tuple[float, ...] | None:
        """Numbers that change with each RTP packet and RTCP report that the leg's far end sends.

        None where they are not known, or the leg is gone. Raises EngineUnavailable.
        """

    async def on_hold(self, leg_id: str) -> bool:
        """Does the leg's far end hold the call now? Raises EngineUnavailable."""

    async def channels(self) -> list[Channel]:
        """The legs that live now; raises EngineUnavailable."""

    def endpoints(self) -> Mapping[str, bool]:
        """Every endpoint that is known here -> online."""

    async def sync(
        self, trunks: Iterable[Trunk], may_stay: Callable[[str, bool], Awaitable[bool]]
    ) -> None:
        """Take in changed trunks, and forget the contacts that may not stay.

        ``may_stay`` is told a contact's device, and whether that registered over TLS.
        """

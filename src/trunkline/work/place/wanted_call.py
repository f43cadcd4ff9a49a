"""A call that an application wants, and all that follows from it once it has been checked."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from trunkline.calls import facts as f
from trunkline.engine.port import Originate
from trunkline.store.ports.database import App, CallingDevice, Destination


class CallWanted(msgspec.Struct, frozen=True):
    """What an application asks for. ``sip_password`` is secret: never log it."""

    number: str
    sip_user: str
    sip_password: str
    client_ref: str | None = None
    idempotency_key: str | None = None

    def __repr__(self) -> str:
        return f"CallWanted(number={self.number!r}, sip_user={self.sip_user!r})"


class GoodCall(msgspec.Struct, frozen=True):
    """A wanted call whose app, device and number have been checked."""

    app: App
    device: CallingDevice
    number: str
    inside: Destination | None
    wanted: CallWanted
    id: str

    def fingerprint(self) -> str:
        """Tells one request from another under the same key; holds no secret."""
        parts = [self.number, self.device.id, self.wanted.client_ref or ""]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def callee(self) -> f.Party:
        if self.inside is None or self.inside.kind != "user":
            return f.Party(number=self.number)
        number = self.inside.sip_users[0] if self.inside.sip_users else self.number
        return f.Party(
            number=number,
            username=self.inside.username,
            name=self.inside.display_name,
            user_id=self.inside.id,
        )

    @property
    def outside(self) -> str:
        """The outside number that it leads to, as far as is known; empty where it stays inside."""
        return self.number if self.inside is None else self.inside.outside

    @property
    def emergency(self) -> bool:
        """Does it pass all that refuses calls?"""
        return self.inside is None and self.number in self.device.emergency.numbers

    def shown_as(self) -> str:
        own = self.device.extension or self.device.sip_user
        return own if self.class_ == "one_one" else (self.device.caller_id or own)

    def recording(self) -> str:
        """The raw recording's base name; empty where the account does not record."""
        return self.id if self.device.record else ""

    @property
    def class_(self) -> Literal["one_one", "trunking"]:
        return "trunking" if self.outside else "one_one"

    def requested(self, at: int) -> f.CallRequested:
        device = self.device
        return f.CallRequested(
            call_id=self.id,
            at=at,
            account_id=self.app.account_id,
            app_id=self.app.id,
            caller=f.Party(
                number=device.sip_user,
                username=device.username,
                name=device.display_name,
                user_id=device.user_id,
                device_id=device.id,
            ),
            callee=self.callee(),
            class_=self.class_,
            dialled=self.number,
            shown_as=self.shown_as(),
            recording=self.recording(),
            client_ref=self.wanted.client_ref,
        )

    def originate(self, device_seconds: int) -> Originate:
        """What the engine is asked for: ring the device for so long, then go on as if the device had dialled."""
        return Originate(
            call_id=self.id,
            endpoint=self.device.sip_user,
            context="from-device",
            extension=self.number,
            caller_id=f'"{_quoted(_printable(self.callee().name))}" <{self.number}>',
            timeout=device_seconds,
            variables={
                "__CALL_ID": self.id,
                "CLICK": "1",
                "GROUP(legs)": self.app.account_id,
                "GROUP(every-leg)": "all",
            },
        )


def _printable(name: str) -> str:
    return "".join(filter(str.isprintable, name))


def _quoted(name: str) -> str:
    """With quoted pairs, which Asterisk reads between the quotes of a caller ID."""
    return name.replace("\\", "\\\\").replace('"', '\\"')

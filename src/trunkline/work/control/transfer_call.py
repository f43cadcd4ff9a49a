"""Blind transfer: a phone leaves its call, and the one that it talks with is led to another number.

That one goes on in the dialplan at ``[transfer]``, under the rights of the phone that left, as if the
phone itself had sent a REFER. So a leg of a trunk cannot be the one that leaves. The server's log says who
asked for the transfer: no row of the engine's log knows.
"""

from __future__ import annotations

import msgspec
import structlog

from trunkline.calls.call import Call, Leg
from trunkline.engine.port import Engine, EngineUnavailable, TransferFailed
from trunkline.routing import dialling
from trunkline.store.ports.database import CallingDevice, Database
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.refused import Refused

log = structlog.get_logger()

_CONTEXT = "transfer"
_RETRY = 5


class TransferWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A transfer as it is asked for.

    ``account_id`` None looks in all accounts. ``leg_id`` is the leg that leaves; None takes the phone's leg, if
    only one phone talks. ``by`` says who asks, for the log.
    """

    account_id: str | None
    call_id: str
    to: str
    leg_id: str | None
    by: str


class Transferred(msgspec.Struct, frozen=True):
    """The leg that left, and the number that the other party is led to."""

    leg_id: str
    to: str


class TransferCall:
    """The verb. Called as ``await transfer_call(wanted)``; raises Refused."""

    def __init__(self, db: Database, engine: Engine, calls: CallLog) -> None:
        self._db, self._engine, self._calls = db, engine, calls

    async def __call__(self, wanted: TransferWanted) -> Transferred:
        number = _number(wanted.to)
        call = await self._call(wanted)
        leg = _leaving(call, wanted.leg_id)
        device = await self._db.directory.device(call.account_id, leg.endpoint)
        if device is None:
            raise _not_transferable("the phone that would leave is no enabled device any more")
        await self._check_allowed(device, number)
        asked = log.bind(call_id=call.id, leg_id=leg.id, number=number, asked_by=wanted.by)
        await self._transfer(leg, number, asked)
        asked.info("call.transferred")
        return Transferred(leg.id, number)

    async def _call(self, wanted: TransferWanted) -> Call:
        call = self._calls.live.get(wanted.call_id)
        if call is not None and wanted.account_id in (None, call.account_id):
            return call
        if wanted.account_id is not None:
            whole = await self._db.history.whole(wanted.account_id, wanted.call_id, 0, 0)
            if whole.row is not None:
                raise Refused("CALL_OVER", "The call is over.")
        raise Refused("NOT_FOUND", "There is no such call.")

    async def _check_allowed(self, device: CallingDevice, number: str) -> None:
        """The same rights as for a click by that device."""
        if dialling.could_be_extension(number):
            inside = await self._db.directory.extension(device.account_id, number)
            if inside is not None:
                return
        if not (dialling.may_dial(device.rights, number) and device.rights.route(number)):
            raise Refused("DESTINATION_NOT_ALLOWED", f"the account may not dial {number}")

    async def _transfer(
        self, leg: Leg, number: str, asked: structlog.typing.FilteringBoundLogger
    ) -> None:
        try:
            await self._engine.transfer(leg.id, _CONTEXT, number)
        except TransferFailed as error:
            raise _not_transferable(f"the phone engine could not: {error}") from error
        except EngineUnavailable as error:
            asked.warning("call.transfer_unknown", error=str(error))
            detail = (
                "the phone engine does not answer; whether the call was transferred is not known"
            )
            raise Refused("ENGINE_UNAVAILABLE", detail, _RETRY) from error


def _number(text: str) -> str:
    try:
        return dialling.number(text)
    except dialling.NumberInvalid as error:
        raise Refused("NUMBER_INVALID", str(error)) from error


def _leaving(call: Call, leg_id: str | None) -> Leg:
    phones = [
        leg
        for leg in call.legs.values()
        if leg.joined_at is not None and leg.ended_at is None and leg.endpoint_kind == "device"
    ]
    if leg_id is not None:
        phones = [leg for leg in phones if leg.id == leg_id]
    if not phones:
        raise _not_transferable("no phone of the account talks in it, or not on that leg")
    if len(phones) > 1:
        legs = " or ".join(f"{leg.id} ({leg.endpoint})" for leg in phones)
        raise _not_transferable(f"several phones talk in it: say which leg leaves, {legs}")
    return phones[0]


def _not_transferable(detail: str) -> Refused:
    return Refused("NOT_TRANSFERABLE", detail)

"""Place a call for an application: its device rings first, then the number is dialled.

The call is stored as *requested*, under an id that we choose, before the engine hears of it. So a
kill at any line leaves either a call that the log tells of, or a request that the next start
withdraws; and the same ``Idempotency-Key`` finds out which. What is stored is not on the disk yet: we wait
for that while the phone is being reached, before anybody is told that it was. A power cut in between ends
the engine, too, and with it the call, which nobody was promised.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from limits import parse_many
from limits.strategies import FixedWindowRateLimiter

from trunkline.calls import facts as f
from trunkline.engine.port import Engine, EngineUnavailable, OriginateFailed
from trunkline.routing import dialling
from trunkline.routing.ports import Legs
from trunkline.store.ports.apps import AlreadyAnswered, Claimed, KeyReused, UnderWay
from trunkline.store.ports.database import (
    App,
    CallingDevice,
    Database,
    DatabaseUnavailable,
    Destination,
)
from trunkline.work.counters import Counters
from trunkline.work.follow.follow_log import CallLog
from trunkline.work.place.in_background import InBackground
from trunkline.work.place.limits import ClickLimits
from trunkline.work.place.wanted_call import CallWanted as CallWanted
from trunkline.work.place.wanted_call import GoodCall
from trunkline.work.refused import Refused

log = structlog.get_logger()

_KEY_KEPT = 24 * 3600 * 1_000_000
_DOUBLE_CLICK = 3 * 1_000_000
_RETRY = 5
_PATIENCE = 2.0
"""Seconds that a request waits for the database to say that its call is stored."""


_Clicks = dict[tuple[str, ...], tuple[int, "asyncio.Future[CallPlaced]"]]
"""(app, device, number) -> until when a second click is the same call, and the answer to the first."""


class CallPlaced(msgspec.Struct, frozen=True):
    """The answer: HTTP status and JSON body, kept for a replay under the same key."""

    status: int
    body: bytes


class CallSettings(msgspec.Struct, frozen=True):
    """The settings for placing calls. ``password_failures`` is a rate in the spelling of ``limits``, ``legs`` how many there may be."""

    device_ring_seconds: int
    password_failures: str
    legs: Legs


class PlaceCall:
    """The verb. Called as ``await place_call(app, wanted)``; raises Refused."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        calls: CallLog,
        settings: CallSettings,
        clock: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._db = db
        self._engine = engine
        self._calls = calls
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self._passwords = FixedWindowRateLimiter(Counters())
        self._failures = parse_many(settings.password_failures)
        self._under_way: set[tuple[str, str]] = set()
        self._clicks: _Clicks | None = None
        self._storing = InBackground()
        self._limits = ClickLimits(db.directory, settings.legs)
        self.draining = False
        self.placing = 0
        """The number of calls that are on their way to the engine."""

    async def __call__(self, app: App, wanted: CallWanted) -> CallPlaced:
        """Send the call to the device; does not wait for anyone to answer."""
        number = _number(wanted.number)
        device = await self._device(app, wanted)
        inside = await self._inside(app, number)
        call = GoodCall(app, device, number, inside, wanted, self._new_id())
        allowed = not call.outside or dialling.may_dial(device.rights, call.outside)
        if not (allowed or call.emergency):
            raise Refused("DESTINATION_NOT_ALLOWED", f"the account may not dial {call.outside}")
        if (self.draining and not call.emergency) or not self._engine.up:
            raise Refused("ENGINE_UNAVAILABLE", "no calls can be placed just now", _RETRY)
        self.placing += 1
        try:
            if wanted.idempotency_key is None:
                return await self._without_key(call)
            return await self._under_key(call, wanted.idempotency_key)
        finally:
            self.placing -= 1

    async def _device(self, app: App, wanted: CallWanted) -> CallingDevice:
        """The app's device, its password checked; the same answer for all that can be wrong."""
        key = (app.id, wanted.sip_user)
        self._check_failures(key)
        device = await self._db.directory.device(app.account_id, wanted.sip_user)
        self._check_failures(
            key
        )  # others may have failed meanwhile; from here on nothing is awaited
        realm, ha1 = (device.realm, device.ha1) if device else ("", "-" * 32)
        given = hashlib.md5(  # noqa: S324 - RFC 7616's HA1
            f"{wanted.sip_user}:{realm}:{wanted.sip_password}".encode()
        ).hexdigest()
        if not hmac.compare_digest(given, ha1) or device is None:
            for rate in self._failures:
                self._passwords.hit(rate, *key)
            raise Refused("SIP_AUTH_FAILED", "no such device, or its password is wrong")
        return device

    def _check_failures(self, key: tuple[str, str]) -> None:
        for rate in self._failures:
            if not self._passwords.test(rate, *key):
                raise Refused("RATE_LIMITED", "too many wrong passwords for this device", _RETRY)

    async def _inside(self, app: App, number: str) -> Destination | None:
        if not dialling.could_be_extension(number):
            return None
        return await self._db.directory.extension(app.account_id, number)

    async def _without_key(self, call: GoodCall) -> CallPlaced:
        """Without a key: a double click is one call, even if a restart comes in between."""
        clicks = self._recent_clicks()
        slot = (call.app.id, call.device.id, call.number)
        if slot in clicks:
            return await asyncio.shield(clicks[slot][1])
        future: asyncio.Future[CallPlaced] = asyncio.get_running_loop().create_future()
        clicks[slot] = (self._clock() + _DOUBLE_CLICK, future)
        try:
            answer = await self._stored(self._place(call))
        except BaseException as error:
            del clicks[slot]  # nothing rang: the next click may try
            future.set_exception(error)
            future.exception()  # marked as seen: perhaps nobody else waits for it
            raise
        future.set_result(answer)
        return answer

    def _recalled(self) -> _Clicks:
        """The clicks that an earlier process accepted just before it died: their calls are live."""
        clicks: _Clicks = {}
        for call in sorted(self._calls.live.values(), key=lambda call: call.started_at):
            if call.origin == "click" and call.caller is not None:
                slot = (call.app_id or "", call.caller.device_id or "", call.dialled)
                answer: asyncio.Future[CallPlaced] = asyncio.get_running_loop().create_future()
                answer.set_result(_ok(call.id))
                clicks[slot] = (call.started_at + _DOUBLE_CLICK, answer)
        return clicks

    def _recent_clicks(self) -> _Clicks:
        """The clicks of this moment, in the order of their times."""
        if self._clicks is None:
            self._clicks = self._recalled()
        now = self._clock()
        for slot, (until, future) in list(self._clicks.items()):
            if until > now or not future.done():
                break
            del self._clicks[slot]
        return self._clicks

    async def _under_key(self, call: GoodCall, key: str) -> CallPlaced:
        """Answer a key once; a second request under it gets the first one's answer."""
        slot = (call.app.id, key)
        if slot in self._under_way:
            raise _in_progress()
        self._under_way.add(slot)
        try:
            return await self._stored(self._claimed(call, key))
        finally:
            self._under_way.discard(slot)

    async def _stored(self, placing: Awaitable[CallPlaced]) -> CallPlaced:
        try:
            return await placing
        except DatabaseUnavailable as error:
            raise Refused(
                "ENGINE_UNAVAILABLE", "calls cannot be stored just now", _RETRY
            ) from error

    async def _claimed(self, call: GoodCall, key: str) -> CallPlaced:
        now = self._clock()
        claiming = self._db.requests.claim(
            call.app.id, key, call.fingerprint(), call.id, now, now + _KEY_KEPT
        )
        try:
            claim = await asyncio.wait_for(claiming, _PATIENCE)
        except TimeoutError as error:  # a claim that it got after all is like one left by a kill
            raise DatabaseUnavailable("the database does not say whose the key is") from error
        match claim:
            case AlreadyAnswered(status, body):
                return _replayed(status, body)
            case KeyReused():
                raise Refused("IDEMPOTENCY_KEY_REUSED", "this key was used with another request")
            case UnderWay(call_id):
                return await self._left_behind(call, key, call_id)
            case Claimed():
                return await self._answer(call, key)

    async def _left_behind(self, call: GoodCall, key: str, call_id: str) -> CallPlaced:
        """No living request holds this claim, since its process died. Did its call get out?"""
        if await self._db.calls.known(call_id) or await self._lives(call_id):
            answer = _ok(call_id)
            await self._db.requests.answer(call.app.id, key, answer.status, answer.body)
            return answer
        await self._db.requests.release(call.app.id, key)
        return await self._claimed(call, key)

    async def _lives(self, call_id: str) -> bool:
        """Is the call out, although the log has not been read so far?"""
        try:
            return any(each.leg_id == call_id for each in await self._engine.channels())
        except EngineUnavailable as error:
            raise _engine_down() from error

    async def _answer(self, call: GoodCall, key: str) -> CallPlaced:
        try:
            answer = await self._place(call)
        except Refused as refused:
            await self._keep_refusal(call, key, refused)
            raise
        await self._keep_answer(call, key, answer)
        return answer

    async def _keep_answer(self, call: GoodCall, key: str, answer: CallPlaced) -> None:
        """The phone rings, so this is a yes even where it cannot be kept: the call stands under its id."""
        keeping = self._db.requests.answer(call.app.id, key, answer.status, answer.body)
        with contextlib.suppress(DatabaseUnavailable):
            await self._storing.is_done(keeping, _PATIENCE)

    async def _keep_refusal(self, call: GoodCall, key: str, refused: Refused) -> None:
        """A final no is kept for the key as a yes is; one that passes is not."""
        if refused.retry_after is not None:
            keeping = self._db.requests.release(call.app.id, key)
        else:
            body = msgspec.json.encode([refused.code, refused.detail])
            keeping = self._db.requests.answer(call.app.id, key, 400, body)
        with contextlib.suppress(
            DatabaseUnavailable
        ):  # no call is known under the key, so it is free
            await self._storing.is_done(keeping, _PATIENCE)

    async def _place(self, call: GoodCall) -> CallPlaced:
        if not (self._engine.has_room or call.emergency):
            raise Refused("ENGINE_UNAVAILABLE", "the disk is full: no call could be kept", _RETRY)
        await self._check_online(call.device.sip_user)
        _check_way(call)
        if self._calls.is_behind:  # who holds a place is not known: the dialplan decides
            return await self._ring(call)
        async with self._limits.place(call, self._calls.lines):
            return await self._ring(call)

    async def _ring(self, call: GoodCall) -> CallPlaced:
        on_disk = await self._requested(call)
        try:
            await self._engine.originate(call.originate(self._settings.device_ring_seconds))
        except (OriginateFailed, EngineUnavailable) as error:
            await self._storing.is_done(self._withdraw(call, type(error).__name__), _PATIENCE)
            if isinstance(error, OriginateFailed):
                raise _offline() from error
            raise _engine_down() from error
        if on_disk is not None:
            await self._promise(call, on_disk)
        log.info("call.placed", call_id=call.id, device=call.device.sip_user, number=call.number)
        return _ok(call.id)

    async def _requested(self, call: GoodCall) -> Awaitable[None] | None:
        """Have it stored; nobody waits for the disk who calls for help. Raises DatabaseUnavailable."""
        if not call.emergency:
            return await self._request(call)
        storing = asyncio.ensure_future(self._calls.ask(call.requested(self._clock())))
        with contextlib.suppress(DatabaseUnavailable):
            await self._storing.is_done(storing, _PATIENCE)
        return None

    async def _request(self, call: GoodCall) -> Awaitable[None]:
        """Have it stored; returns what is done once it is on the disk. Raises DatabaseUnavailable.

        A database that is lost during its commit says only later, maybe much later, whether the request
        is there. Nobody waits for that: the request is refused now, and withdrawn then.
        """
        storing = asyncio.ensure_future(self._calls.ask(call.requested(self._clock())))
        if await self._storing.is_done(storing, _PATIENCE):
            return storing.result()
        self._storing.keep(self._withdraw_if(storing, call))
        raise DatabaseUnavailable("the database has not said whether the call is stored")

    async def _promise(self, call: GoodCall, on_disk: Awaitable[None]) -> None:
        """Called before a yes is said; raises DatabaseUnavailable, and then the phone rings no more."""
        if not await self._is_kept(on_disk):
            with contextlib.suppress(EngineUnavailable):
                await self._engine.hang_up(call.id)
            raise DatabaseUnavailable("the disk has not said that the call is stored")

    async def _is_kept(self, on_disk: Awaitable[None]) -> bool:
        try:
            return await self._storing.is_done(on_disk, _PATIENCE)
        except DatabaseUnavailable:
            return False

    async def _withdraw_if(self, storing: Awaitable[object], call: GoodCall) -> None:
        with contextlib.suppress(DatabaseUnavailable):
            await storing
            await self._withdraw(call, "DatabaseUnavailable")

    async def _withdraw(self, call: GoodCall, reason: str) -> None:
        """However long the database takes to accept it."""
        gone = f.RequestWithdrawn(call_id=call.id, at=self._clock(), reason=reason)
        await self._calls.insist([gone])

    async def _check_online(self, sip_user: str) -> None:
        """The engine's signals tell; the engine itself is asked before anyone is told "offline"."""
        if self._engine.online(sip_user):
            return
        try:
            online = await self._engine.look(sip_user)
        except EngineUnavailable as error:
            raise _engine_down() from error
        if not online:
            raise _offline()


def _number(text: str) -> str:
    try:
        return dialling.number(text)
    except dialling.NumberInvalid as error:
        raise Refused("NUMBER_INVALID", str(error)) from error


def _check_way(call: GoodCall) -> None:
    if call.emergency:
        way: object = call.device.emergency.trunks
    else:
        way = not call.outside or call.device.rights.route(call.outside)
    if not way:
        raise Refused(
            "DESTINATION_NOT_ALLOWED",
            "the account has no trunk that could take a call to this outside number",
        )


def _ok(call_id: str) -> CallPlaced:
    body = {"success": True, "message": "OK", "call_id": call_id}
    return CallPlaced(200, msgspec.json.encode(body))


def _replayed(status: int, body: bytes) -> CallPlaced:
    if status == 200:
        return CallPlaced(status, body)
    code, detail = msgspec.json.decode(body, type=tuple[str, str])
    raise Refused(code, detail)


def _offline() -> Refused:
    return Refused("DEVICE_OFFLINE", "the device is not registered, or does not answer")


def _engine_down() -> Refused:
    return Refused("ENGINE_UNAVAILABLE", "the phone engine is down", _RETRY)


def _in_progress() -> Refused:
    return Refused(
        "IDEMPOTENCY_IN_PROGRESS", "the first request with this key is being answered", 1
    )

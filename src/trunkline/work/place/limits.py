"""Refuses a click for which there is no place, before its phone rings; the dialplan decides it once more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

from trunkline.calls.lines import Lines, LiveLines
from trunkline.calls.refusals import RefusalReason
from trunkline.routing.limits import full
from trunkline.routing.ports import Legs
from trunkline.store.ports.database import Directory
from trunkline.work.counters import Counters
from trunkline.work.place.wanted_call import GoodCall
from trunkline.work.refused import Refused

_RETRY = 5
_SAID = {
    "DEVICE_CALLS": "the device has as many calls to the outside as it may",
    "ACCOUNT_CALLS": "the account has as many calls to the outside as it may",
    "TRUNK_CALLS": "the trunk has as many calls as it may",
    "NO_PORTS": "as many RTP ports are in use as may be",
    "DEVICE_RATE": "the device has had as many new calls in this minute as it may",
    "ACCOUNT_RATE": "the account has had as many new calls in this minute as it may",
    "TRUNK_RATE": "the trunk has had as many new calls in this minute as it may",
}


class ClickLimits:
    """Counts the clicks to the outside, and looks at the live calls."""

    def __init__(self, directory: Directory, legs: Legs) -> None:
        self._legs = legs
        self._directory = directory
        self._clicks = FixedWindowRateLimiter(Counters())
        self._placing: dict[str, GoodCall] = {}

    @asynccontextmanager
    async def place(self, call: GoodCall, live: LiveLines) -> AsyncIterator[None]:
        """Holds a place for the call until it is among the live ones, after the block; raises Refused."""
        if call.emergency:
            yield
            return
        self._check_ports(call, live)
        if call.outside:
            await self._check(call, live)
        self._placing[call.id] = call
        try:
            yield
        finally:
            del self._placing[call.id]

    def _check_ports(self, call: GoodCall, live: LiveLines) -> None:
        account_id = call.app.account_id
        placing = [each.app.account_id for each in self._placing.values() if each.id not in live]
        account = live.legs(account_id) + 2 * placing.count(account_id)
        every = live.legs() + 2 * len(placing)
        if account + 2 > self._legs.account or every + 2 > self._legs.all:
            _refuse("NO_PORTS", _RETRY)

    async def _check(self, call: GoodCall, live: LiveLines) -> None:
        route = call.device.rights.route(call.outside)
        assert route is not None
        sip_user, account_id = call.device.sip_user, call.app.account_id
        device = await self._directory.limits(sip_user)
        trunk = await self._directory.limits(route.trunk.removeprefix("trunk-"))
        taken = live.lines(account_id, sip_user, route.trunk)
        for other in self._placing.values():
            if other.outside and other.id not in live and other.app.account_id == account_id:
                own = other.device.sip_user == sip_user
                taken = Lines(taken.device + own, taken.account + 1, taken.trunk + 1)
        if reason := full(taken, device, trunk):
            _refuse(reason, _RETRY)
        rates: list[tuple[RefusalReason, int | None, str]] = [
            ("DEVICE_RATE", device.rate, sip_user),
            ("ACCOUNT_RATE", device.account_rate, account_id),
            ("TRUNK_RATE", trunk.rate, route.trunk),
        ]
        for reason, most, whose in rates:
            if most is not None and not (most and self._clicks.test(_rate(most), whose)):
                _refuse(reason, 60)
        for _, most, whose in rates:
            if most is not None:
                self._clicks.hit(_rate(most), whose)


def _rate(most: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(most)


def _refuse(reason: RefusalReason, retry_after: int) -> NoReturn:
    raise Refused("RATE_LIMITED", f"{_SAID[reason]} ({reason})", retry_after)

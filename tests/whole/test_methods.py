"""SIP methods that nobody needs here are refused, whoever sends them, and harm nothing."""

from __future__ import annotations

import pytest

from .ports import loopback
from .sip import Caller
from .stage import Stage

UNNEEDED = {
    "SUBSCRIBE": ["Event: presence", "Expires: 60", "Accept: application/pidf+xml"],
    "SUBSCRIBE dialog": ["Event: dialog", "Expires: 60"],
    "SUBSCRIBE without an event": [],
    "PUBLISH": ["Event: presence", "Expires: 60"],
    "MESSAGE": ["Content-Type: text/plain"],
    "NOTIFY": ["Event: refer", "Subscription-State: active;expires=60"],
    "NOTIFY keep-alive": ["Event: keep-alive"],
    "NOTIFY without an event": [],
    "REFER": ["Refer-To: <sip:102@elsewhere.example.com>"],
    "INFO": [],
    "UPDATE": [],
    "NONSENSE": [],
}


@pytest.mark.parametrize("what", UNNEEDED)
async def test_it_is_refused(what: str, stage: Stage) -> None:
    method, server = what.split()[0], stage.server.sip
    tenant, address = await stage.tenant(), loopback()
    device = await tenant.user("bob", "--extension", "101")
    await tenant.trunk(f"{address}:5060", "--match", address)
    senders = {
        "nobody": Caller(address=loopback(), server=server, user="nobody"),
        "a phone without a password": Caller(
            address=loopback(), server=server, user=device.sip_user
        ),
        "a phone": Caller(
            address=loopback(), server=server, user=device.sip_user, password=device.password
        ),
        "a carrier": Caller(address=address, server=server, user="84900000000"),
    }
    codes = {
        who: (await caller._ask(method, f"sip:101@{server}", "101", UNNEEDED[what])).code
        for who, caller in senders.items()
    }
    assert codes["nobody"] == codes["a phone without a password"] == 401
    assert all(code >= 400 for code in codes.values()), codes
    assert (await senders["a phone"].register()).code == 200

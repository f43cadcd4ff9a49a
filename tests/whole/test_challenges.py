"""A carrier that asks for credentials in ways that no password answers: the caller is told at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from .listener import RawWebSocket
from .ports import Ports, loopback
from .scripted import Refusal, ScriptedCarrier
from .sip import Caller
from .stage import Stage
from .waiting import until

UNAUTHORIZED, PROXY = "401 Unauthorized", "407 Proxy Authentication Required"
AT_ONCE = 4
"""Seconds: a person would wait for so long; the ring time of these tests is 6."""


def digest(realm: str, more: str = "") -> Refusal:
    """A challenge with a new nonce each time, whatever the password is."""
    nonces = itertools.count(1)
    return lambda _: (
        UNAUTHORIZED,
        f'WWW-Authenticate: Digest realm="{realm}", nonce="n{next(nonces)}"{more}\r\n',
    )


REFUSALS: dict[str, tuple[Refusal, str, int]] = {
    "401 without a challenge": (lambda _: (UNAUTHORIZED, ""), "sip:401", 1),
    "407 without a challenge": (lambda _: (PROXY, ""), "sip:407", 1),
    "401 with the proxy's challenge": (
        lambda _: (UNAUTHORIZED, 'Proxy-Authenticate: Digest realm="c", nonce="n"\r\n'),
        "sip:401",
        1,
    ),
    "a digest that nobody knows": (digest("c", ", algorithm=FOO"), "sip:401", 1),
    "a wrong password, one nonce": (
        lambda _: (UNAUTHORIZED, 'WWW-Authenticate: Digest realm="c", nonce="n"\r\n'),
        "sip:401",
        2,
    ),
    "a wrong password, a new nonce each time": (digest("c"), "sip:401", 11),
}
"""What it answers each INVITE with, the code that is told, and how many INVITEs it gets at most."""


@pytest.mark.parametrize("what", REFUSALS)
async def test_the_caller_is_refused_at_once(stage: Stage, ports: Ports, what: str) -> None:
    refusal, code, most = REFUSALS[what]
    carrier, tenant = await ScriptedCarrier(ports, refusal).ready(), await stage.tenant()
    try:
        device = await tenant.user("caller")
        await tenant.trunk(carrier.host, "--auth-user", "u", "--auth-password", "p")
        listener = await stage.listen(RawWebSocket, tenant)
        caller = Caller(
            address=loopback(),
            server=stage.server.sip,
            user=device.sip_user,
            password=device.password,
        )
        began = time.monotonic()
        answer = await caller.invite("84901237711")
        assert (answer.code, time.monotonic() - began < AT_ONCE) == (403, True)
        ended = await listener.wait_for("CALL_ENDED")
    finally:
        carrier.close()
    out = legs(listener)[1]
    assert (ended.data["status_detail"], ended.data["billing_seconds"]) == ("UNSUCCESS", 0)
    assert (out["hangup_cause"], out["hangup_code"]) == ("CALL_REJECTED", code)
    assert 1 <= len(carrier.invites) <= most


def legs(listener: Any) -> list[dict[str, Any]]:
    """The CHANNEL_DESTROY of each leg, in the order in which the legs began."""
    order = [seen.data["call_id"] for seen in listener.named("CHANNEL_CREATE")]
    ends = {seen.data["call_id"]: seen.data for seen in listener.named("CHANNEL_DESTROY")}
    return [ends[leg] for leg in order]


async def test_a_click_is_refused_at_once_too(stage: Stage, ports: Ports) -> None:
    carrier = await ScriptedCarrier(ports, lambda _: (UNAUTHORIZED, "")).ready()
    tenant = await stage.tenant()
    try:
        device = await tenant.user("clicker")
        await tenant.trunk(carrier.host, "--auth-user", "u", "--auth-password", "p")
        phone = await stage.phone(device)
        call_id = await tenant.click(device, "84901237712")
        await phone.wait_for("CALL_ESTABLISHED")
        await asyncio.wait_for(phone.wait_for("CALL_CLOSED"), AT_ONCE)
    finally:
        carrier.close()
    record = await tenant.api.record(call_id)
    assert (record["status_detail"], record["billing_seconds"]) == ("UNSUCCESS", 0)
    shown = await stage.server.cli("calls", "show", call_id)
    assert shown["legs"][1]["sipCode"] == 401


async def test_a_challenge_that_is_no_sip_ends_with_the_ring_time(
    stage: Stage, ports: Ports
) -> None:
    """PJSIP drops the whole message: as if the carrier had said nothing."""
    refusal: Refusal = lambda _: (UNAUTHORIZED, 'WWW-Authenticate: Basic realm="c"\r\n')  # noqa: E731
    carrier, tenant = await ScriptedCarrier(ports, refusal).ready(), await stage.tenant()
    try:
        device = await tenant.user("patient")
        await tenant.trunk(carrier.host, "--auth-user", "u", "--auth-password", "p")
        phone = await stage.phone(device)
        call_id = await tenant.click(device, "84901237713")
        await until(lambda: carrier.invites, "an INVITE")
        await phone.wait_for("CALL_CLOSED")
    finally:
        carrier.close()
    assert (await tenant.api.record(call_id))["status_detail"] == "UNSUCCESS"

"""A phone is reached where it registered from: nothing that it says leads us to another host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .ports import loopback
from .sip import Caller
from .stage import Device, Stage, together

BOTH_LOOKS = 7
"""Seconds: the first OPTIONS comes within one, the next five later."""
STEERS = [
    ";maddr={}",
    ";MADDR={}",
    ";ma%64dr={}",
    ";ma%2564dr={}",
    ";ma%252564dr={}",
    ";transport=tcp;maddr={}",
    ";lr;maddr={}?X=y",
    "?Route=%3Csip:{}%3Blr%3E",
]


class Elsewhere(asyncio.DatagramProtocol):
    """Another host, which must hear nothing over UDP or TCP at the phone's port."""

    def __init__(self) -> None:
        self.address, self.heard = loopback(), list[bytes]()

    def datagram_received(self, data: bytes, _: object) -> None:
        self.heard.append(data)

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[Elsewhere]:
        """Hear all that comes to this port."""
        loop = asyncio.get_running_loop()
        datagrams, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(self.address, port)
        )
        streams = await asyncio.start_server(
            lambda reader, writer: self._connected(writer), self.address, port
        )
        try:
            yield self
        finally:
            datagrams.close()
            streams.close()

    def _connected(self, writer: asyncio.StreamWriter) -> None:
        self.heard.append(b"a connection")
        writer.close()


def caller(stage: Stage, device: Device, port: int, more: str, route: str = "") -> Caller:
    address = loopback()
    return Caller(
        address=address,
        port=port,
        server=stage.server.sip,
        user=device.sip_user,
        password=device.password,
        contact=f"{device.sip_user}@{address}:{port}{more}",
        record_route=route,
    )


async def test_a_contact_that_names_another_host_is_never_asked_or_rung(stage: Stage) -> None:
    tenant = await stage.tenant()
    await tenant.user("bob", "--extension", "102")
    devices = await together(*(tenant.device("bob") for _ in STEERS))

    async def registers(device: Device, steer: str) -> list[bytes]:
        elsewhere, port = Elsewhere(), stage.ports.one()
        phone = caller(stage, device, port, steer.format(elsewhere.address))
        async with elsewhere.listening(port), phone.registered():
            await tenant.api.click_to_call("102", device.sip_user, device.password)
            await asyncio.sleep(BOTH_LOOKS)
            return elsewhere.heard

    assert await together(*map(registers, devices, STEERS)) == [[]] * len(STEERS)


async def test_a_contact_with_other_parameters_is_kept(stage: Stage) -> None:
    tenant = await stage.tenant()
    device = await tenant.user("bob", "--extension", "102")
    async with caller(stage, device, stage.ports.one(), ";ob;line=a1").registered():
        assert await tenant.click(device, "102")


async def test_it_is_not_registered_and_the_engines_log_says_so(stage: Stage) -> None:
    tenant = await stage.tenant()
    device = await tenant.user("bob", "--extension", "102")
    phone = caller(stage, device, stage.ports.one(), ";maddr=127.0.0.9")
    answer = await phone.register()
    assert (answer.code, answer["Contact"]) == (200, "")
    refused = await tenant.api.click_to_call("102", device.sip_user, device.password)
    assert refused.json()["message"] == "DEVICE_OFFLINE"
    said = (stage.server.data / "engine/log/messages.log").read_text()
    assert f"Unable to bind contact 'sip:{phone.contact}'" in said


async def test_a_call_whose_answer_would_go_elsewhere_is_refused(stage: Stage) -> None:
    tenant = await stage.tenant()
    await tenant.user("called", "--extension", "102")
    device = await tenant.user("bob", "--extension", "101")

    async def calls(more: str, route: str = "") -> tuple[int, list[bytes]]:
        elsewhere, port = Elsewhere(), stage.ports.one()
        steered = [each.format(elsewhere.address) for each in (more, route)]
        async with elsewhere.listening(port):
            answer = await caller(stage, device, port, *steered).invite("102")
            await asyncio.sleep(1)
        return answer.code, elsewhere.heard

    steered = [calls(more) for more in STEERS[:3]] + [calls("", "sip:x;lr;maddr={}")]
    far = f";far={'x' * 4200};maddr={{}}"  # longer than a function of the dialplan reads
    steered += [calls(far), calls("", f"sip:x;lr{far}"), calls("", f"sip:x;lr{far}>, <sip:y;lr")]
    assert await together(*steered) == [(403, [])] * 7
    assert await calls(";ob", "sip:x;lr") == (480, [])

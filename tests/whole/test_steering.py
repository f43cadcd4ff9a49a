"""A phone is reached where it registered from: nothing that it says leads us to another host."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from .firm import Firm
from .ports import loopback
from .sip import Caller
from .stage import Device, Stage, together
from .waiting import until

BOTH_LOOKS = 7
"""Seconds: the first OPTIONS comes within one, the next five later."""
STEERS = [
    ";maddr={}",
    ";MADDR={}",
    ";ma%64dr={}",
    ";ma%2564dr={}",
    ";ma%252564dr={}",
    ";%01maddr={}",
    ";transport=tcp;maddr={}",
    ";lr;maddr={}?X=y",
    "?Route=%3Csip:{}%3Blr%3E",
    ">;expires=0, <sip:x@{}:{}",
    ">, <sip:x@{}:{};x-ast-orig-host=127.0.0.1:5060",
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
        phone = caller(stage, device, port, steer.format(elsewhere.address, port))
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


@pytest.mark.parametrize("length", [1900, 2000, 3000])
async def test_a_contact_of_any_length_is_read(length: int, stage: Stage) -> None:
    """One of over 2 KB, with another behind it, stopped the engine, whoever sent it."""
    tenant = await stage.tenant()
    device = await tenant.user("bob", "--extension", "102")
    more = f";far={'x' * length}>, <sip:x@127.0.0.9:5060"
    stranger = msgspec.structs.replace(device, sip_user="nobody", password="")
    answers = []
    for each in (stranger, device):
        async with asyncio.timeout(10):
            answers.append((await caller(stage, each, stage.ports.one(), more).register()).code)
    assert answers in ([401, 200], [401, 400])


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
    steered += [calls(";a=):0:1;maddr={}")]  # what ends a function of the dialplan, and an offset
    far = f";far={'x' * 4200};maddr={{}}"  # longer than a function of the dialplan reads
    steered += [calls(far), calls("", f"sip:x;lr{far}"), calls("", f"sip:x;lr{far}>, <sip:y;lr")]
    answers = await together(*steered)
    assert [heard for _, heard in answers] == [[]] * 8
    # With a name in other letters it is no maddr to the engine (guard/res_no_maddr.c), and leads nowhere.
    assert {code for code, _ in answers} <= {403, 480}
    assert (answers[0][0], answers[4][0]) == (403, 403)
    assert await calls(";ob", "sip:x;lr") == (480, [])


@pytest.mark.parametrize(
    "via", [";maddr={}", ";MADDR={}", ";ma%64dr={}", ";%01maddr={}", ";received={}"]
)
async def test_an_answer_goes_to_whoever_asked(via: str, stage: Stage) -> None:
    """Nobody unknown has our answers sent to another host, which never asked for them."""
    elsewhere, port, address = Elsewhere(), stage.ports.one(), loopback()
    host, server_port = stage.server.sip.split(":")
    asker = Elsewhere()
    async with elsewhere.listening(port):
        sender, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: asker, local_addr=(address, port)
        )
        head = [
            f"OPTIONS sip:{stage.server.sip} SIP/2.0",
            f"Via: SIP/2.0/UDP {address}:{port};branch=z9hG4bK{secrets.token_hex(8)}"
            + via.format(elsewhere.address),
            f"From: <sip:nobody@{address}>;tag=1",
            f"To: <sip:{stage.server.sip}>",
            f"Call-ID: {secrets.token_hex(8)}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
        ]
        sender.sendto("\r\n".join([*head, "", ""]).encode(), (host, int(server_port)))
        await until(lambda: asker.heard, "an answer")
        sender.close()
    assert elsewhere.heard == []


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_nothing_that_is_said_within_a_call_leads_elsewhere(method: str, firm: Firm) -> None:
    """A Record-Route there means nothing, and keeps nobody's Contact from being minded."""
    elsewhere, alice = Elsewhere(), firm.alice
    dialled = await alice.dial("102").up()
    taken = await firm.bob.taken()
    async with elsewhere.listening(alice.port):
        alice.contact_at = f"{elsewhere.address}:{alice.port}"
        try:
            route = [("Record-Route", "<sip:127.0.0.9;lr>")]
            answer = await alice._ask(dialled, method, route, dialled._sdp())
            assert answer.code == 200
            await taken.hang_up()
            await dialled.over()
        finally:
            alice.contact_at = ""
    assert elsewhere.heard == []


async def test_a_contact_and_a_route_in_an_answer_lead_nowhere(firm: Firm) -> None:
    elsewhere, bob = Elsewhere(), firm.bob
    async with elsewhere.listening(bob.port):
        bob.route = f"sip:{elsewhere.address}:{bob.port};lr"
        bob.contact_at = f"{elsewhere.address}:{bob.port}"
        try:
            dialled = await firm.alice.dial("102").up()
            taken = await bob.taken()
            await dialled.hang_up()
            await taken.over()
        finally:
            bob.contact_at = bob.route = ""
    assert elsewhere.heard == []


@pytest.mark.parametrize("name", ["maddr", "%01maddr"])
@pytest.mark.parametrize("where", ["contact", "route"])
async def test_a_called_phones_answer_leads_nowhere_else(where: str, name: str, firm: Firm) -> None:
    """What we send in a call goes to the phone, also where its 200 names another host."""
    elsewhere, bob = Elsewhere(), firm.bob
    steer = f";{name}={elsewhere.address}"
    async with elsewhere.listening(bob.port):
        bob.contact_more = steer if where == "contact" else ""
        bob.route = f"sip:{bob.address}:{bob.port};lr{steer}" if where == "route" else ""
        try:
            dialled = await firm.alice.dial("102").up()
            taken = await bob.taken()
            await dialled.hold()
            await dialled.hang_up()
            await taken.over()
        finally:
            bob.contact_more = bob.route = ""
    assert elsewhere.heard == []

"""Encrypted sound (SRTP) and wideband codecs with real phones, and what is refused."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
import pytest

from .phone import Phone
from .ports import loopback
from .sip import Caller
from .stage import Device, Stage, Tenant, together
from .waiting import until

WIDE = 5200
"""Hz: a tone that G.711 does not carry."""
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"


async def with_device(tenant: Tenant, username: str, extension: str, srtp: str = "off") -> Device:
    """A user with a device; its SRTP is set afterwards, as one does."""
    made = await tenant.user(username, "--extension", extension)
    if srtp != "off":
        shown = await tenant.server.cli("device", "set", made.sip_user, "--srtp", srtp)
        assert shown["srtp"] == srtp
    return made


def over_tls(stage: Stage, **options: Any) -> dict[str, Any]:
    server = {"server": stage.server.sip_tls, "ca_file": stage.server.ca_file}
    return {**server, "transport": "tls", **options}


async def talk(
    tenant: Tenant, caller: Phone, callee: Phone, number: str, calls: int = 1
) -> list[Audio]:
    """A call, the account's so manieth, in which both hear the other's tone; the audio that its SDP spoke of."""
    await caller.dial(number)
    await together(caller.wait_for("CALL_ESTABLISHED"), callee.wait_for("CALL_ESTABLISHED"))
    await asyncio.sleep(2)
    await caller.hang_up()
    await together(caller.wait_for("CALL_CLOSED"), callee.wait_for("CALL_CLOSED"))
    # Wideband phones get their first packets in G.711; what they hear is measured in test_sound.
    for one, other in ((caller, callee), (callee, caller)):
        assert one.overwrote or one.heard.share(0, other.line.tone) > 0.5, (
            one.line.user,
            one.heard.heard(0),
        )
    return await audio(tenant, calls)


class Audio(msgspec.Struct, frozen=True):
    """What one SDP says of audio: ``codec`` is its first; ``secret``: it has a key for SRTP."""

    said: str
    """``>INVITE`` is sent by us, ``<200`` came to us."""
    profile: str
    codec: str
    secret: bool


async def audio(tenant: Tenant, calls: int = 1) -> list[Audio]:
    """Of the account's newest call, of so many, in their order."""

    async def whole() -> list[Audio] | None:
        history = await tenant.api.history()
        if len(history) < calls:
            return None
        call = await tenant.server.cli("calls", "show", history[0]["call_id"])
        messages = call["sipMessages"]
        byes = [one for one in messages if one["cseq"].endswith("BYE") and one["status"] == 200]
        return [each for each in map(_audio, messages) if each] if len(byes) == 2 else None

    return list(await until(whole, "the SDP of both legs"))


def _audio(message: dict[str, Any]) -> Audio | None:
    line = re.search(r"^m=audio \d+ (\S+) (\d+)", message["text"], re.M)
    if line is None:
        return None
    codec = re.search(rf"^a=rtpmap:{line[2]} ([^/\s]+)", message["text"], re.M)
    way = "<" if message["direction"] == "received" else ">"
    return Audio(
        f"{way}{message['method'] or message['status']}",
        line[1],
        codec[1].upper() if codec else line[2],
        "\na=crypto:" in message["text"].replace("\r", ""),
    )


# ---- SRTP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("srtp", "how", "profiles"),
    [
        ("optional", "srtp", ("RTP/AVP", "RTP/AVP")),
        ("required", "srtp-mand", ("RTP/SAVP", "RTP/SAVP")),
    ],
)
async def test_sound_is_encrypted_over_tls(
    srtp: str, how: Any, profiles: tuple[str, str], stage: Stage
) -> None:
    tenant = await stage.tenant()
    one, two = await together(
        with_device(tenant, "one", "101", srtp), with_device(tenant, "two", "102", srtp)
    )
    first, second = await together(
        stage.phone(one, tone=500, **over_tls(stage, srtp=how)),
        stage.phone(two, tone=900, **over_tls(stage, srtp=how)),
    )
    shown = await stage.server.cli("device", "show", one.sip_user)
    assert (shown["srtp"], shown["online"], shown["secure"]) == (srtp, True, True)
    told = await talk(tenant, first, second, "102")
    secret = dict.fromkeys(each.said for each in told if each.secret)
    assert list(secret) == ["<INVITE", ">INVITE", "<200", ">200"]
    assert {each.profile for each in told} == set(profiles)


async def test_an_optional_phone_that_has_no_srtp_talks_plainly(stage: Stage) -> None:
    tenant = await stage.tenant()
    one, two = await together(
        with_device(tenant, "one", "101", "optional"), with_device(tenant, "two", "102", "optional")
    )
    first, second = await together(
        stage.phone(one, tone=500, **over_tls(stage)), stage.phone(two, tone=900, **over_tls(stage))
    )
    told = await talk(tenant, first, second, "102")
    assert [each.said for each in told if each.secret] == [">INVITE"]  # it was offered


async def test_no_key_goes_over_udp_to_an_optional_phone_that_offers_one(stage: Stage) -> None:
    tenant = await stage.tenant()
    one, two = await together(
        with_device(tenant, "one", "101", "optional"), with_device(tenant, "two", "102", "optional")
    )
    first, second = await together(
        stage.phone(one, tone=500, srtp="srtp"), stage.phone(two, tone=900, srtp="srtp")
    )
    told = await talk(tenant, first, second, "102")
    assert {each.said[0] for each in told if each.secret} == {"<"}  # the phones' own


async def test_an_optional_phone_may_move_between_tls_and_udp(stage: Stage) -> None:
    tenant = await stage.tenant()
    one, two = await together(
        with_device(tenant, "one", "101"), with_device(tenant, "two", "102", "optional")
    )
    first = await stage.phone(one, tone=500)

    async def online() -> bool:
        return bool((await stage.server.cli("device", "show", two.sip_user))["online"])

    ways = (over_tls(stage, srtp="srtp"), {"srtp": "srtp"}, over_tls(stage, srtp="srtp"))
    for calls, options in enumerate(ways, 1):
        second = await stage.phone(two, tone=900, **options)
        await until(online, "it is reached again")
        told = await talk(tenant, first, second, "102", calls)
        secret = [each.said for each in told if each.secret]
        assert secret == ([">INVITE", "<200"] if "ca_file" in options else ["<200"]), options
        await second.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_that_must_have_srtp_is_not_registered_without_tls(
    transport: Any, stage: Stage
) -> None:
    tenant = await stage.tenant()
    one, two = await together(
        with_device(tenant, "one", "101", "required"), with_device(tenant, "two", "102")
    )
    phone, other = await together(
        stage.phone(one, transport=transport, srtp="srtp-mand"), stage.phone(two)
    )
    refused = await tenant.api.click_to_call("102", one.sip_user, one.password)
    assert refused.json()["message"] == "DEVICE_OFFLINE"
    await other.dial("101")
    await other.wait_for("CALL_CLOSED")
    await phone.dial("102")
    await phone.wait_for("CALL_CLOSED")
    assert (phone.rung, other.rung) == (0, 0)


async def test_one_that_is_registered_without_tls_is_so_no_more_once_srtp_is_required(
    stage: Stage,
) -> None:
    tenant = await stage.tenant()
    one = await with_device(tenant, "one", "101")
    await stage.phone(one)
    assert (await stage.server.cli("device", "show", one.sip_user))["online"] is True
    await stage.server.cli("device", "set", one.sip_user, "--srtp", "required")

    async def offline() -> bool:
        return (await stage.server.cli("device", "show", one.sip_user))["online"] is False

    await until(offline, "offline")


def caller(stage: Stage, device: Device, **offer: Any) -> Caller:
    return Caller(
        address=loopback(),
        port=stage.ports.one(),
        server=stage.server.sip,
        user=device.sip_user,
        password=device.password,
        **offer,
    )


@pytest.mark.parametrize(
    ("srtp", "offer", "code"),
    [
        ("off", {"profile": "RTP/SAVP", "more_sdp": CRYPTO}, 488),
        ("off", {"more_sdp": CRYPTO}, 486),
        ("optional", {"profile": "RTP/SAVP", "more_sdp": CRYPTO}, 488),
        ("optional", {"more_sdp": CRYPTO}, 486),
        ("required", {"profile": "RTP/SAVP", "more_sdp": CRYPTO}, 403),
        ("required", {"more_sdp": CRYPTO}, 403),
        ("required", {}, 488),
    ],
)
async def test_what_a_call_over_udp_comes_to(
    srtp: str, offer: dict[str, str], code: int, stage: Stage
) -> None:
    tenant = await stage.tenant()
    one, two = await together(
        with_device(tenant, "one", "101", srtp), with_device(tenant, "two", "102")
    )
    async with caller(stage, two).registered():  # which is busy
        assert (await caller(stage, one, **offer).invite("102")).code == code


async def test_a_phone_without_srtp_is_refused_over_tls_where_it_is_required(stage: Stage) -> None:
    tenant = await stage.tenant()
    one, two = await together(
        with_device(tenant, "one", "101", "required"), with_device(tenant, "two", "102")
    )
    phone, other = await together(stage.phone(one, **over_tls(stage)), stage.phone(two))
    await phone.dial("102")
    assert "488" in (await phone.wait_for("CALL_CLOSED"))["param"]
    assert other.rung == 0


# ---- Codecs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "spoken"),
    [
        ("G722,PCMU", "G722,PCMU", {"G722"}),
        ("opus,PCMU", "opus,PCMU", {"OPUS"}),
        ("G722", "PCMU", {"G722", "PCMU"}),
        ("opus", "PCMA", {"OPUS", "PCMA"}),
        ("G722", "opus", {"G722", "OPUS"}),
        ("PCMU,G722,opus", "opus,G722,PCMU", {"PCMU"}),
        ("PCMU", "PCMU", {"PCMU"}),
    ],
)
async def test_each_phone_gets_the_codec_that_it_prefers(
    one: str, other: str, spoken: set[str], stage: Stage
) -> None:
    tenant = await stage.tenant("--no-record")
    first, second = await together(
        with_device(tenant, "one", "101"), with_device(tenant, "two", "102")
    )
    wide = not {"PCMU", "PCMA"} & spoken
    phones = await together(
        stage.phone(first, tone=WIDE if wide else 500, codecs=one),
        stage.phone(second, tone=WIDE + 600 if wide else 900, codecs=other),
    )
    told = await talk(tenant, *phones, "102")
    assert {each.codec for each in told if each.said in ("<200", ">200")} == spoken


async def test_encrypted_sound_goes_on_after_a_hold(stage: Stage) -> None:
    tenant = await stage.tenant()
    one, two = await together(
        with_device(tenant, "one", "101", "required"), with_device(tenant, "two", "102", "required")
    )
    first, second = await together(
        stage.phone(one, tone=500, **over_tls(stage, srtp="srtp-mand")),
        stage.phone(two, tone=900, **over_tls(stage, srtp="srtp-mand")),
    )
    await first.dial("102")
    await together(first.wait_for("CALL_ESTABLISHED"), second.wait_for("CALL_ESTABLISHED"))
    for command in ("hold", "resume"):
        await asyncio.sleep(1)
        await first.command(command)
    await asyncio.sleep(2)
    await second.hang_up()
    await together(first.wait_for("CALL_CLOSED"), second.wait_for("CALL_CLOSED"))
    # What baresip gets after a hold of its own it does not write down.
    assert second.heard.heard(0)[-5:-1] == pytest.approx([500] * 4, abs=12)


async def test_a_click_offers_every_codec_and_srtp(stage: Stage) -> None:
    tenant = await stage.tenant("--no-record")
    one, two = await together(
        with_device(tenant, "one", "101", "required"), with_device(tenant, "two", "102")
    )
    first, second = await together(
        stage.phone(one, tone=500, codecs="opus", **over_tls(stage, srtp="srtp-mand")),
        stage.phone(two, tone=900, codecs="opus"),
    )
    await tenant.click(one, "102")
    await together(first.wait_for("CALL_ESTABLISHED"), second.wait_for("CALL_ESTABLISHED"))
    await asyncio.sleep(2)
    await second.hang_up()
    await together(first.wait_for("CALL_CLOSED"), second.wait_for("CALL_CLOSED"))
    told = await audio(tenant)
    assert (told[0].said, told[0].profile, told[0].secret) == (">INVITE", "RTP/SAVP", True)
    assert {each.codec for each in told if each.said == "<200"} == {"OPUS"}
    assert second.heard.share(0, 500) > 0.5


async def test_a_call_for_help_goes_out_also_without_tls(stage: Stage) -> None:
    """All others of a phone that must have SRTP are refused there."""
    tenant = await stage.tenant()
    one = await with_device(tenant, "one", "101", "required")
    phone, carrier = await together(
        stage.phone(one, srtp="srtp-mand"), stage.far_party("carrier", tone=1400)
    )
    await tenant.trunk(f"{carrier.address}:{carrier.port}", "--match", carrier.address)
    await phone.dial("0901234567")
    await phone.wait_for("CALL_CLOSED")
    assert not carrier.calls
    await phone.dial("112")
    there = await carrier.taken("112")
    await there.voice.hears(phone.line.tone)
    await phone.hang_up()
    await there.over()

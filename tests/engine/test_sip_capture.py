"""Where Asterisk tells of SIP messages: a socket that is found again, and takes what it can."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from engine.test_hep import chunks, datagram
from trunkline.engine.listen import sip_capture
from trunkline.engine.listen.sip_capture import SipCapture, can_capture, is_local


def _datagram(password: str, payload: bytes) -> bytes:
    told = [(v, k, password.encode() if k == 14 else value) for v, k, value in chunks(payload)]
    return datagram(told)


async def test_what_comes_with_the_password_is_told_in_order(tmp_path: Path) -> None:
    capture = SipCapture(tmp_path)
    capture.open()
    assert capture.address is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for password, payload in (
            ("guess", b"0"),
            (capture.address.password, b"1"),
            (capture.address.password, b"2"),
        ):
            sender.sendto(_datagram(password, payload), ("127.0.0.1", capture.address.port))
        sender.sendto(b"", ("127.0.0.1", capture.address.port))
    found: list[bytes] = []
    async with asyncio.timeout(20):
        async for some in capture.messages():
            found += [each.payload for each in some]
            if len(found) == 2:
                break
    capture.close()
    assert found == [b"1", b"2"]


async def test_it_is_where_it_was_after_a_restart(tmp_path: Path) -> None:
    first, second = SipCapture(tmp_path), SipCapture(tmp_path)
    first.open()
    first.close()
    second.open()
    second.close()
    assert second.address == first.address
    assert (tmp_path / "sip_capture.json").stat().st_mode & 0o777 == 0o600
    assert second.address is not None
    assert second.address.password not in repr(second.address)


async def test_it_goes_elsewhere_where_its_port_was_taken(tmp_path: Path) -> None:
    first, second = SipCapture(tmp_path), SipCapture(tmp_path)
    first.open()
    second.open()
    assert first.address is not None
    assert second.address is not None
    assert second.address.port != first.address.port
    assert second.address.password == first.address.password
    first.close()
    second.close()


def test_this_machine_knows_its_own_addresses() -> None:
    assert is_local("127.0.0.1")
    assert not is_local("203.0.113.7")
    assert not is_local("2001:db8::7")


def test_an_asterisk_without_the_modules_cannot_be_asked(tmp_path: Path) -> None:
    (tmp_path / "res_hep.so").touch()
    assert not can_capture(tmp_path)
    (tmp_path / "res_hep_pjsip.so").touch()
    assert can_capture(tmp_path)


async def test_what_waits_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_capture, "MOST_WAITING_BYTES", 50_000)
    capture = SipCapture(tmp_path)
    capture.open()
    assert capture.address is not None
    large = _datagram(capture.address.password, bytes(20_000))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(large, ("127.0.0.1", capture.address.port))
        async with asyncio.timeout(20):
            while capture.dropped < 2:  # noqa: ASYNC110 (there is no event for it)
                await asyncio.sleep(0.01)
            async for some in capture.messages():
                assert len(some) == 3
                break
            sender.sendto(large, ("127.0.0.1", capture.address.port))
            async for some in capture.messages():
                assert len(some) == 1
                break
    capture.close()

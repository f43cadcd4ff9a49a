"""SRTP of devices and trunks, as it is managed."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.making import KEY, office
from trunkline.directory.entries import DeviceEntry
from trunkline.directory.rules import DirectoryRefused
from trunkline.store.managed_directory import ManagedDirectory
from trunkline.work.manage.devices import create_device, set_device
from trunkline.work.manage.trunks import create_trunk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trunkline.db"


def test_a_device_has_no_srtp_before_it_is_said(path: Path) -> None:
    _, _, device = office(path)
    assert (device.srtp, device.secure) == ("off", False)


@pytest.mark.parametrize("srtp", ["off", "optional", "required"])
def test_it_is_set_when_a_device_is_made_and_later(path: Path, srtp: str) -> None:
    account, user, device = office(path)
    with ManagedDirectory(path, KEY).transaction() as directory:
        made, _ = create_device(directory, account, user, "an2", realm="r", srtp=srtp)
        assert made.srtp == set_device(directory, device, srtp=srtp).srtp == srtp
        assert directory.called(DeviceEntry, "an1")[0].realm == device.realm


def test_other_words_and_none_at_all_are_refused(path: Path) -> None:
    _, _, device = office(path)
    with ManagedDirectory(path, KEY).transaction() as directory:
        with pytest.raises(DirectoryRefused, match="off, optional or required"):
            set_device(directory, device, srtp="yes")
        with pytest.raises(DirectoryRefused, match="say what to change"):
            set_device(directory, device)


def test_a_trunk_has_srtp_over_tls_alone(path: Path) -> None:
    account, _, _ = office(path)
    with ManagedDirectory(path, KEY).transaction() as directory:
        for transport in ("udp", "tcp"):
            with pytest.raises(DirectoryRefused, match="needs --transport tls"):
                create_trunk(
                    directory, account, "a", "10.0.0.1", transport=transport, srtp="optional"
                )
        trunk = create_trunk(directory, account, "a", "10.0.0.1", transport="tls", srtp="required")
    assert (trunk.srtp, trunk.port) == ("required", 5061)

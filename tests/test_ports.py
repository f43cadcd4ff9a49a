"""The tests' own ports: several runs side by side, and one that needs many."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from whole import ports
from whole.ports import NoPorts, Ports


@pytest.fixture(autouse=True)
def _two_small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within a block of ours."""
    outer = Ports()
    first, last = outer.range(80)
    monkeypatch.setattr(ports, "FIRST", first)
    monkeypatch.setattr(ports, "LAST", last + 1)
    monkeypatch.setattr(ports, "BLOCK", 40)
    yield
    outer.close()


@pytest.fixture
def mine() -> Iterator[Ports]:
    made = Ports(wait=0.3)
    yield made
    made.close()


def held(first: int, last: int) -> list[socket.socket]:
    sockets = []
    for port in range(first, last + 1):
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sockets[-1].bind(("0.0.0.0", port))
    return sockets


def test_a_run_whose_block_is_used_up_takes_another(mine: Ports) -> None:
    sockets = held(*mine.range(30))
    sockets += held(*mine.range(30))
    taken = {each.getsockname()[1] for each in sockets}
    assert len(taken) == 60
    with pytest.raises(NoPorts, match="are taken"):
        mine.range(30)
    for each in sockets[:30]:
        each.close()
    assert len(range(*mine.range(8))) == 7
    for each in sockets[30:]:
        each.close()


def test_a_run_waits_for_a_block_that_others_have(mine: Ports) -> None:
    other = Ports()
    timer = threading.Timer(0.3, other.close)
    timer.start()
    began = time.monotonic()
    patient = Ports(wait=60)
    assert time.monotonic() - began >= 0.2
    patient.close()
    with pytest.raises(NoPorts, match="more than a block"):
        mine.range(39)


def test_what_is_kept_is_not_given_anew(mine: Ports) -> None:
    first, last = mine.keep(20)
    given = {port for _ in range(30) for port in range(*mine.range(4))}
    assert given
    assert not given & set(range(first, last + 1))


def test_the_port_beside_one_is_free_too(mine: Ports) -> None:
    [taken] = held(*[mine.range(2)[1]] * 2)
    given = {mine.one() for _ in range(40)}
    assert len(given) > 10
    assert taken.getsockname()[1] - 1 not in given
    taken.close()

"""The firewall's rules, in two network namespaces: a server and its clients, at addresses of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "deploy" / "nftables" / "trunkline.nft"
SERVER, ONE, OTHER, TRUSTED = "10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.4"
SERVER6, ONE6, NEAR6, OTHER6 = "fd77::1", "fd77:0:0:1::1", "fd77:0:0:1::2", "fd77:0:0:2::1"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"),
    reason="only root may make network namespaces, with ip and nft",
)


def run(*words: str) -> None:
    subprocess.run(words, check=True, timeout=20)


class Clients:
    """The program that asks, in the clients' namespace."""

    def __init__(self, space: str) -> None:
        self._program = subprocess.Popen(
            ["ip", "netns", "exec", space, sys.executable, str(HERE / "asking.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._program.stdin
        assert self._program.stdout
        self._in: IO[str] = self._program.stdin
        self._out: IO[str] = self._program.stdout

    def ask(self, *words: object) -> int:
        self._in.write(" ".join(map(str, words)) + "\n")
        self._in.flush()
        return int(self._out.readline())

    def end(self) -> None:
        self._in.close()
        self._program.wait(20)


@pytest.fixture(scope="module")
def spaces() -> Iterator[tuple[str, str]]:
    """(the server's, the clients'), joined by a wire; nothing of the machine's own network is in them."""
    server, clients = f"tl-server-{os.getpid()}", f"tl-client-{os.getpid()}"
    run("ip", "netns", "add", server)
    run("ip", "netns", "add", clients)
    answering = None
    try:
        run(
            "ip",
            "-n",
            server,
            "link",
            "add",
            "wire",
            "type",
            "veth",
            "peer",
            "wire",
            "netns",
            clients,
        )
        for space, addresses in (
            (server, (f"{SERVER}/24", f"{SERVER6}/32")),
            (
                clients,
                (
                    *(f"{a}/24" for a in (ONE, OTHER, TRUSTED)),
                    *(f"{a}/32" for a in (ONE6, NEAR6, OTHER6)),
                ),
            ),
        ):
            for address in addresses:
                run(
                    "ip",
                    "-n",
                    space,
                    "address",
                    "add",
                    address,
                    "dev",
                    "wire",
                    *(["nodad"] if ":" in address else []),
                )
            run("ip", "-n", space, "link", "set", "wire", "up")
        run("ip", "netns", "exec", server, "nft", "-f", str(RULES))
        run("ip", "netns", "exec", server, "nft", "-f", str(RULES))  # again changes nothing
        run(
            "ip",
            "netns",
            "exec",
            server,
            "nft",
            "add",
            "element",
            "inet",
            "trunkline",
            "trusted4",
            f"{{ {TRUSTED} }}",
        )
        answering = subprocess.Popen(
            [
                "ip",
                "netns",
                "exec",
                server,
                sys.executable,
                str(HERE / "answering.py"),
                "5060,5061,8080,9999",
                "5060,10000",
                SERVER,
                SERVER6,
            ],
            stdout=subprocess.PIPE,
        )
        assert answering.stdout
        assert answering.stdout.readline() == b"ready\n"
        yield server, clients
    finally:
        if answering:
            answering.kill()
            answering.wait(20)
        run("ip", "netns", "delete", server)
        run("ip", "netns", "delete", clients)


@pytest.fixture
def clients(spaces: tuple[str, str]) -> Iterator[Clients]:
    mine = Clients(spaces[1])
    yield mine
    mine.end()


def test_sip_connections_are_capped_for_each_address(clients: Clients) -> None:
    assert clients.ask("tcp", ONE, SERVER, 5060, 30) == 30
    assert clients.ask("tcp", ONE, SERVER, 5061, 30) == 20
    assert clients.ask("tcp", OTHER, SERVER, 5060, 10) == 10
    assert clients.ask("tcp", TRUSTED, SERVER, 5060, 120) == 120
    assert clients.ask("close") == 180
    assert clients.ask("tcp", OTHER, SERVER, 5061, 10) == 10


def test_of_ipv6_the_first_half_is_one_address(clients: Clients) -> None:
    assert clients.ask("tcp", ONE6, SERVER6, 5060, 30) == 30
    assert clients.ask("tcp", NEAR6, SERVER6, 5060, 25) == 20
    assert clients.ask("tcp", OTHER6, SERVER6, 5060, 10) == 10


def test_a_flood_of_sip_over_udp_is_cut_and_others_are_heard(clients: Clients) -> None:
    assert 400 <= clients.ask("udp", ONE, SERVER, 5060, 3000) < 1000
    assert clients.ask("udp", OTHER, SERVER, 5060, 100) == 100
    assert clients.ask("udp", OTHER6, SERVER6, 5060, 100) == 100
    assert clients.ask("udp", TRUSTED, SERVER, 5060, 3000) > 2500


def test_the_audio_of_many_calls_goes_through(clients: Clients) -> None:
    assert clients.ask("udp", ONE, SERVER, 10000, 5000) > 4500


def test_http_connections_are_capped_for_each_address(clients: Clients) -> None:
    assert clients.ask("tcp", ONE, SERVER, 8080, 1010) == 1000
    assert clients.ask("tcp", OTHER, SERVER, 8080, 10) == 10


def test_nothing_else_is_touched(clients: Clients) -> None:
    assert clients.ask("tcp", ONE, SERVER, 9999, 200) == 200

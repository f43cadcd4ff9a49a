"""Asking a SIP server whether it is there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from trunkline.engine.watch import reach


@contextmanager
def _udp_server(*replies: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Gives its port and what it hears; answers each request with the next reply, then not at all."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def serve() -> None:
            for reply in replies:
                request, sender = server.recvfrom(65_535)
                heard.append(request)
                if reply:
                    server.sendto(reply, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join()


def test_any_sip_answer_counts() -> None:
    with _udp_server(b"SIP/2.0 405 Method Not Allowed\r\n\r\n") as (port, heard):
        assert reach.answers("127.0.0.1", port, "udp")
    assert heard[0].startswith(b"OPTIONS sip:127.0.0.1:%d SIP/2.0\r\n" % port)


def test_a_lost_request_is_sent_again() -> None:
    with _udp_server(b"", b"SIP/2.0 200 OK\r\n\r\n") as (port, heard):
        assert reach.answers("127.0.0.1", port, "udp", timeout=0.2)
    assert len(heard) == 2


def test_what_is_not_sip_does_not_count() -> None:
    with _udp_server(b"hello") as (port, _):
        assert not reach.answers("127.0.0.1", port, "udp")


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_nobody_there(transport: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert not reach.answers("127.0.0.1", port, transport, timeout=0.1)


def test_a_name_that_does_not_resolve_is_no_error() -> None:
    assert not reach.answers("carrier.invalid", 5060, "udp", timeout=0.1)


def test_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_535)
                connection.sendall(b"SIP/2.0 200 OK\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert reach.answers("127.0.0.1", server.getsockname()[1], "tcp")
        thread.join()

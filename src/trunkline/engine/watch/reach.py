"""Does a SIP server answer? It is sent an OPTIONS request (RFC 3261, 11), and any SIP answer will do."""

from __future__ import annotations

import secrets
import socket
import ssl

_REQUEST = (
    "OPTIONS sip:{host}:{port} SIP/2.0\r\n"
    "Via: SIP/2.0/{transport} {own};rport;branch=z9hG4bK{branch}\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:doctor@{own}>;tag={tag}\r\n"
    "To: <sip:{host}:{port}>\r\n"
    "Call-ID: {branch}@trunkline\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Contact: <sip:doctor@{own}>\r\n"
    "Accept: application/sdp\r\n"
    "Content-Length: 0\r\n\r\n"
)
_TRIES = 3


def answers(host: str, port: int, transport: str, timeout: float = 1.0) -> bool:
    """True when it answers over UDP (asked three times) or TCP or, for TLS, accepts a connection.

    ``timeout`` is in seconds for each try. A name that cannot be resolved gives False.
    """
    try:
        if transport == "udp":
            return _over_udp(host, port, timeout)
        with socket.create_connection((host, port), timeout) as connection:
            if transport == "tls":
                return True
            connection.sendall(_options(connection, host, port, "TCP"))
            return connection.recv(4096).startswith(b"SIP/2.0 ")
    except OSError:
        return False


def certificate_trouble(host: str, port: int, more: str = "", timeout: float = 3.0) -> str | None:
    """Why the certificate of a server is refused, in OpenSSL's words; None: it is not, or nobody is there.

    ``more`` is a PEM file of what is trusted besides what the machine trusts, as the engine has it.
    """
    try:
        trusted = ssl.create_default_context()
        if more:
            trusted.load_verify_locations(cafile=more)
        with (
            socket.create_connection((host, port), timeout) as connection,
            trusted.wrap_socket(connection, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError:
        return None


def _over_udp(host: str, port: int, timeout: float) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((host, port))
        asking.settimeout(timeout)
        request = _options(asking, host, port, "UDP")
        for _ in range(_TRIES):
            asking.send(request)
            try:
                return asking.recv(65_535).startswith(b"SIP/2.0 ")
            except TimeoutError:
                continue
        return False


def _options(asking: socket.socket, host: str, port: int, transport: str) -> bytes:
    own_host, own_port = asking.getsockname()[:2]
    values = {"host": host, "port": port, "transport": transport, "own": f"{own_host}:{own_port}"}
    return _REQUEST.format(**values, branch=secrets.token_hex(8), tag=secrets.token_hex(4)).encode()

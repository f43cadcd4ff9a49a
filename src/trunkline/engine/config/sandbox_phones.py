"""The sandbox engine's part of the configuration: its phones, and the switch that they register at."""

from __future__ import annotations

from collections.abc import Mapping

_PHONE = """\
[{name}]
type = auth
auth_type = digest
username = {name}
password = {password}

[{name}]
type = registration
transport = udp
outbound_auth = {name}
server_uri = sip:{switch}
client_uri = sip:{name}@{switch}
contact_user = {number}
expiration = 300
retry_interval = 1
forbidden_retry_interval = 2
fatal_retry_interval = 2
max_retries = 1000000
max_random_initial_delay = 0
auth_rejection_permanent = no
"""

MODULES = ("app_echo",)
OVERLAY = "sandbox"


def placeholders(switch: tuple[str, int], phones: Mapping[str, str]) -> dict[str, str]:
    """The overlay's placeholders; ``phones`` maps SIP user names to passwords."""
    host, port = switch
    return {
        "SWITCH": f"{host}:{port}",
        "SWITCH_HOST": host,
        "PHONES": "\n".join(
            _PHONE.format(name=name, password=password, number=number, switch=f"{host}:{port}")
            for number, (name, password) in enumerate(phones.items(), 101)
        ),
    }

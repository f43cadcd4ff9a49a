"""The trunks as PJSIP objects, in a file of their own that is written anew at each change.

They stand in a file and not in a view for two reasons: an ``identify`` from realtime costs two full
scans with each request, and a registering trunk's password must be plain for Asterisk, so it stands
in a 0600 file rather than in the database.
"""

from __future__ import annotations

from collections.abc import Iterable

from trunkline.engine.port import Trunk

# Calls go by the first AOR, which is not qualified: an unreachable contact would not be dialled at
# all (res_pjsip_session.c, AST_SIP_CONTACT_FILTER_REACHABLE), and not every carrier answers OPTIONS.
# accept_multiple_sdp_answers: a carrier may ring from one machine and talk from another. The answer's SDP would count for
# nothing, as RFC 6337 has it, and after five seconds of ringing nobody is heard who sends from there.
_ENDPOINT = """\
[{name}]
type = aor
contact = {uri}

[{probe}]
type = aor
contact = {uri}
qualify_frequency = {qualify}
qualify_timeout = 3.0

[{name}]
type = endpoint
transport = {transport}
context = from-trunk
aors = {name},{probe}
identify_by = ip
accountcode = {account}
disallow = all
allow = ulaw,alaw
direct_media = no
rtp_symmetric = yes
accept_multiple_sdp_answers = yes
force_rport = yes
from_domain = {host}
trust_id_outbound = yes
send_pai = yes
send_connected_line = no
send_diversion = no
allow_transfer = no
allow_subscribe = no
moh_suggest = {account}
dtmf_mode = auto
set_var = CHANNEL(hangup_handler_push)=leg-over,s,1
media_encryption = {encryption}
media_encryption_optimistic = {optimistic}
set_var = SRTP={srtp}
{outbound_auth}
[{name}]
type = identify
endpoint = {name}
{matches}
"""

_AUTH = """
[{name}]
type = auth
auth_type = digest
username = {user}
password = {password}
"""

_REGISTRATION = """
[{name}]
type = registration
transport = {transport}
outbound_auth = {name}
server_uri = {uri}
client_uri = sip:{user}@{host}
contact_user = {user}
expiration = 300
retry_interval = 5
forbidden_retry_interval = 30
fatal_retry_interval = 30
max_retries = 1000000
max_random_initial_delay = 0
auth_rejection_permanent = no
"""


NOBODY = "#tryinclude pjsip_nobody.conf\n\n"
"""Each kind of object may stand in one file only. An engine of the version before has no such file, and goes on without."""


def probe(endpoint: str) -> str:
    """The AOR of a trunk whose only contact is asked by OPTIONS whether it is there."""
    return f"{endpoint}-probe"


def configuration(trunks: Iterable[Trunk], qualify_seconds: int) -> str:
    """The file's text; raises ValueError for a value with a line break, which could say anything.

    Each carrier gets an OPTIONS every ``qualify_seconds``. Names, hosts and users were checked when they
    were stored; the check here is the second guard.
    """
    head = "; Made by Trunkline at each change of a trunk: changes here are lost.\n" + NOBODY
    return head + "\n".join(_one(trunk, qualify_seconds) for trunk in trunks)


def _one(trunk: Trunk, qualify_seconds: int) -> str:
    _refuse_line_breaks(trunk)
    values = {
        "name": trunk.endpoint,
        "probe": probe(trunk.endpoint),
        "qualify": str(qualify_seconds),
        "account": trunk.account_id,
        "transport": trunk.transport,
        "encryption": "no" if trunk.srtp == "off" else "sdes",
        "optimistic": "yes" if trunk.srtp == "optional" else "no",
        "srtp": trunk.srtp,
        "host": trunk.host,
        "uri": _uri(trunk),
        "user": _value(trunk.auth_user or ""),
        "password": _value(trunk.auth_password or ""),
        "outbound_auth": f"outbound_auth = {trunk.endpoint}\n" if trunk.auth_user else "",
        "matches": "\n".join(f"match = {match}" for match in trunk.match or (trunk.host,)),
    }
    text = _ENDPOINT.format(**values)
    if trunk.auth_user:
        text += _AUTH.format(**values)
    if trunk.auth_user and trunk.register:
        text += _REGISTRATION.format(**values)
    return text


def _uri(trunk: Trunk) -> str:
    suffix = "" if trunk.transport == "udp" else f"\\;transport={trunk.transport}"
    return f"sip:{trunk.host}:{trunk.port}{suffix}"


def _refuse_line_breaks(trunk: Trunk) -> None:
    stored = (
        trunk.endpoint,
        trunk.account_id,
        trunk.transport,
        trunk.srtp,
        trunk.host,
        trunk.auth_user or "",
        trunk.auth_password or "",
        *trunk.match,
    )
    if any(char in text for text in stored for char in "\r\n\0"):
        raise ValueError(f"a value of {trunk.endpoint} has a line break")


def _value(text: str) -> str:
    # A semicolon begins a comment; a backslash is itself anywhere else (Asterisk's config.c).
    return text.replace(";", "\\;")

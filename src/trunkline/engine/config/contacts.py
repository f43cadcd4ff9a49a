"""Refuses contacts that would lead the engine's requests to another host, or SRTP's keys over the air.

PJSIP sends to the ``maddr`` of a contact and not to its host (sip_util.c, pjsip_get_dest_info), and
makes header fields of what follows its ``?`` (sip_dialog.c, pjsip_dlg_create_uac), a Route among
them; ``rewrite_contact`` changes the host alone (res_pjsip_nat.c, rewrite_uri). Asterisk has no
setting against it. A module of ours makes ``maddr`` mean nothing (``guard/res_no_maddr.c``); this holds without it, too.
Its registrar first keeps each contact in its own database, and only a contact that
is kept there is asked, rung and told of. So a trigger there refuses such a contact before anything is
sent, whether we run or not; Asterisk's log then says ``Unable to bind contact``.

A kept contact is parsed again for each request, and a ``%`` in a parameter stands for itself when it
is written down: ``ma%2564dr`` is kept as ``ma%64dr``, which then is ``maddr``. So no ``%`` may be there.

A device whose SRTP is required is reached by TLS alone. Asterisk answers a REGISTER the same by any
transport, but ``rewrite_contact`` writes into the contact by which one it came (res_pjsip_nat.c,
rewrite_uri), and the contact keeps the time-out of its AOR's qualifying, by which ``ps_aors`` tells such a
device apart. The REGISTER is answered 200 without the contact: the device is not registered.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

SECRET_TIMEOUT = 3.125
"""Seconds: the ``qualify_timeout`` of a device in ``ps_aors`` whose SRTP is required."""

_STEERED = rf"""
    {{row}}key LIKE '/registrar/contact/%' AND (
        NOT json_valid({{row}}value)
        OR json_extract({{row}}value, '$.uri') LIKE '%maddr=%'
        OR json_extract({{row}}value, '$.uri') LIKE '%?%'
        OR json_extract({{row}}value, '$.uri') LIKE '%;%\%%' ESCAPE '\'
        OR CAST(json_extract({{row}}value, '$.qualify_timeout') AS REAL) = {SECRET_TIMEOUT}
            AND json_extract({{row}}value, '$.uri') NOT LIKE '%;transport=tls%'
    )
"""
_FORGET = "DELETE FROM astdb WHERE " + _STEERED.format(row="")  # noqa: S608 - all of it is ours
_REFUSE = f"""
    CREATE TRIGGER refuse_steered BEFORE INSERT ON astdb WHEN {_STEERED.format(row="NEW.")}
    BEGIN SELECT RAISE(ABORT, 'a contact that leads to another host, or has to come over TLS'); END
"""


def refuse_steered(astdb: Path) -> None:
    """Forget such contacts, and have the engine that is about to start on this database refuse them.

    Not while an engine runs: its prepared statements would not survive the change.
    """
    with contextlib.closing(sqlite3.connect(astdb)) as connection, connection:
        # As Asterisk makes it (main/db.c).
        connection.execute(
            "CREATE TABLE IF NOT EXISTS astdb(key TEXT, value TEXT, PRIMARY KEY(key))"
        )
        connection.execute(_FORGET)
        connection.execute("DROP TRIGGER IF EXISTS refuse_steered")
        connection.execute(_REFUSE)


def is_secure(uri: str) -> bool:
    """Did the device that is at this contact register over TLS?"""
    return ";transport=tls" in uri.lower()

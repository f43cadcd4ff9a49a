"""Which phones the engine finds when it starts, when it reloads, and when a phone first registers.

PJSIP looks for every AOR and every endpoint as it starts and with each reload, and for every endpoint
again when an AOR that it has not met gets a contact. It never tells a state of an endpoint that such a
search does not find (res_pjsip/pjsip_options.c, sip_options_synchronize_task and
sip_options_aor_observer_modified_task); each one that it finds costs memory and time. So ``sorcery.conf``
has our database asked for one row only, and the searches find the phones that are listed in Asterisk's own
database, where the registrar keeps its contacts: all that have a contact when the engine starts or is about
to reload, and each that gets one, for a while. Asterisk writes a contact before it looks for its
endpoint, and reads on the connection that it writes on, so a trigger is never too late.

A listed key ends with a zero byte, at which Asterisk ends what it reads. So a search finds it and
no look-up does: what a device is and may do stands in our database alone. See
``docs/decisions/0019-the-engine-finds-who-has-registered.md``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

FAMILY = "registered"
"""The family of the keys in Asterisk's database; the commands below are for the triggers here."""
LIST_ALL = f"database put {FAMILY} list all"
"""List all phones that have a contact, for a reload."""
LIST_NEW = f"database put {FAMILY} list new"
"""Stop listing them."""
RELOADED = f"database put {FAMILY} list reloaded"
"""Stop listing them after a reload, which found all that had been missed when they were listed."""
MISSED = "missed"
"""This key is set when a phone was taken off the list before its search may have come. It is there until
a reload after that is done.
"""

SECONDS, AT_MOST = 10, 100
"""A phone that has registered is listed for so long, and at most so many are. The engine makes each of them
anew (45 µs) for each phone that registers for the first time.
"""
SECONDS_OF_ALL = 60
"""All are listed for so long, if nobody asks for the new ones alone."""

_CONTACT = "{row}key LIKE '/registrar/contact/%'"
_ENDPOINT = "json_extract({row}value, '$.endpoint')"
_NOW = "CAST(strftime('%s', 'now') AS INTEGER)"
_IS_NEW = f"until <= {_NOW} + {SECONDS}"

_LIST_ALL = f"""
    INSERT OR REPLACE INTO listed (name, until)
    SELECT {_ENDPOINT.format(row="")}, {_NOW} + {SECONDS_OF_ALL} FROM astdb
    WHERE {_CONTACT.format(row="")} AND {_ENDPOINT.format(row="")} IS NOT NULL
"""  # noqa: S608 - all of it is ours
# A search takes an endpoint's AOR, and how an AOR is qualified, as in ps_aors. The rest is looked
# up. No name opens an endpoint that is identified by address.
_MAKE = f"""
    BEGIN;
    DROP TRIGGER IF EXISTS list_new;
    DROP TRIGGER IF EXISTS list_all;
    DROP TRIGGER IF EXISTS list_new_alone;
    DROP TABLE IF EXISTS listed;
    DELETE FROM astdb WHERE key LIKE '/{FAMILY}/%';

    CREATE TABLE listed (seq INTEGER PRIMARY KEY, name TEXT UNIQUE, until INTEGER);
    CREATE TRIGGER listed AFTER INSERT ON listed BEGIN
        INSERT OR REPLACE INTO astdb (key, value) VALUES
            ('/{FAMILY}/endpoint/' || NEW.name || char(0),
             json_object('aors', NEW.name, 'identify_by', 'ip')),
            ('/{FAMILY}/aor/' || NEW.name || char(0),
             json_object('qualify_frequency', '5', 'qualify_timeout', '3.0'));
    END;
    CREATE TRIGGER unlisted AFTER DELETE ON listed BEGIN
        DELETE FROM astdb WHERE key IN (
            '/{FAMILY}/endpoint/' || OLD.name || char(0), '/{FAMILY}/aor/' || OLD.name || char(0));
    END;

    CREATE TRIGGER list_new BEFORE INSERT ON astdb
    WHEN {_CONTACT.format(row="NEW.")} AND {_ENDPOINT.format(row="NEW.")} IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM astdb WHERE key = NEW.key)
    BEGIN
        DELETE FROM listed WHERE until < {_NOW};
        INSERT OR REPLACE INTO listed (name, until)
        SELECT {_ENDPOINT.format(row="NEW.")}, max({_NOW} + {SECONDS}, coalesce(
            (SELECT until FROM listed WHERE name = {_ENDPOINT.format(row="NEW.")}), 0));
        INSERT OR REPLACE INTO astdb (key, value)
        SELECT '/{FAMILY}/{MISSED}', 'yes'
        WHERE (SELECT count(*) FROM listed WHERE {_IS_NEW}) > {AT_MOST};
        DELETE FROM listed WHERE {_IS_NEW} AND seq <= (
            SELECT seq FROM listed WHERE {_IS_NEW} ORDER BY seq DESC LIMIT 1 OFFSET {AT_MOST});
    END;
    CREATE TRIGGER list_all AFTER INSERT ON astdb
    WHEN NEW.key = '/{FAMILY}/list' AND NEW.value = 'all' BEGIN
        {_LIST_ALL};
        UPDATE astdb SET value = 'listed' WHERE key = '/{FAMILY}/{MISSED}';
    END;
    CREATE TRIGGER list_new_alone AFTER INSERT ON astdb
    WHEN NEW.key = '/{FAMILY}/list' AND NEW.value IN ('new', 'reloaded') BEGIN
        DELETE FROM listed WHERE NOT {_IS_NEW};
        DELETE FROM astdb
        WHERE key = '/{FAMILY}/{MISSED}' AND value = 'listed' AND NEW.value = 'reloaded';
    END;

    {_LIST_ALL};
    COMMIT;
"""  # noqa: S608


def list_registered(astdb: Path) -> None:
    """Have the engine that is about to start on this database, which exists, find them.

    Not while an engine runs: its prepared statements would not survive the change.
    """
    with contextlib.closing(sqlite3.connect(astdb)) as connection:
        connection.executescript(_MAKE)

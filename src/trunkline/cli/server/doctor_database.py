"""What trunkline doctor says of the database, and of the trunks and webhooks in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from trunkline.server.settings import Settings

if TYPE_CHECKING:
    from trunkline.directory.entries import TrunkEntry
    from trunkline.engine.process.examine import Finding
    from trunkline.store.ports.archive import Archive

_MEND = (
    "look whether PostgreSQL runs, and at the setting database: host, port, name, user, password"
)
_MEND_UNUSABLE = "do what it says; if the schema is another one, start the Trunkline that fits it"
_MEND_SERVER = "take the primary of a PostgreSQL {} or later, and a database of ENCODING 'UTF8'"
_MEND_DURABLE = "switch it on in postgresql.conf: a power cut could take what was acknowledged"
_MEND_ROLES = "have an administrator run ALTER ROLE {} CREATEROLE"


def database(chosen: Settings, followed: bool) -> Iterator[Finding]:
    """The database, and its trunks and webhooks; ``followed``: a server runs on it."""
    from trunkline.engine.process.examine import Finding
    from trunkline.store.location import exists
    from trunkline.store.opening import open_archive
    from trunkline.store.ports.database import DatabaseUnavailable, DatabaseUnusable

    if isinstance(chosen.place, str):
        yield from _server(chosen.place)
    try:
        if not exists(chosen.place):
            yield Finding("database", None, "there is none yet", "trunkline up makes it")
            return
        with closing(open_archive(chosen.place)) as opened:
            yield Finding("database", True, _where(chosen))
            yield from _trunks(chosen, followed)
            yield _emergency(chosen)
            yield from _webhooks(opened)
    except DatabaseUnusable as error:
        yield Finding("database", False, str(error), _MEND_UNUSABLE)
    except DatabaseUnavailable as error:
        yield Finding("database", False, str(error), _MEND)


def _where(chosen: Settings) -> str:
    from trunkline.store.location import shown

    return shown(chosen.place)


def _server(url: str) -> Iterator[Finding]:
    """PostgreSQL itself; that it cannot be reached is for ``database`` to say."""
    from trunkline.engine.process.examine import Finding
    from trunkline.store.opening import look
    from trunkline.store.ports.database import DatabaseUnavailable

    try:
        found = look(url)
    except DatabaseUnavailable:
        return
    right = found.major >= found.oldest and not found.is_standby and found.encoding == "UTF8"
    said = f"{found.version}, {found.encoding}{', a standby' if found.is_standby else ''}"
    yield Finding("postgresql", right, said, "" if right else _MEND_SERVER.format(found.oldest))
    off = ", ".join(f"{name} is off" for name in found.not_durable)
    durable = off or "what it has acknowledged stays"
    yield Finding("postgresql durable", not off, durable, _MEND_DURABLE if off else "")
    able = found.may_make_roles
    said = f"{found.user} may {'' if able else 'not '}make the role that Asterisk reads by"
    yield Finding("postgresql roles", able, said, "" if able else _MEND_ROLES.format(found.user))


def _trunks(chosen: Settings, followed: bool) -> list[Finding]:
    """Each trunk's carrier, asked with an OPTIONS request from here, and what a server has heard."""
    from trunkline.engine.process import examine
    from trunkline.engine.watch import reach

    asked = []
    for line in _trunk_lines(chosen, chosen.directory / "secret.key"):
        tls = line.transport == "tls"
        trouble = "sip_tls is off" if tls and not chosen.sip_tls else None
        if tls and not trouble:
            trouble = reach.certificate_trouble(line.host, line.port, chosen.sip_tls_ca)
        answers = reach.answers(line.host, line.port, line.transport)
        asked.append((line.name, answers, line.up if followed else None, trouble))
    return examine.trunks(asked)


def _trunk_lines(chosen: Settings, key: Path) -> list[TrunkEntry]:
    from trunkline.directory.entries import TrunkEntry
    from trunkline.store.managed_directory import ManagedDirectory
    from trunkline.store.secrets import open_key

    if not key.exists():
        return []
    with ManagedDirectory(chosen.place, open_key(key)).transaction() as directory:
        return [trunk for trunk in directory.all(TrunkEntry) if trunk.enabled]


def _emergency(chosen: Settings) -> Finding:
    """Extensions from before there were emergency numbers, which hide one."""
    from trunkline.directory.entries import AccountEntry, ExtensionEntry
    from trunkline.engine.process.examine import Finding
    from trunkline.store.managed_directory import ManagedDirectory
    from trunkline.store.secrets import open_key

    hidden: list[str] = []
    if (key := chosen.directory / "secret.key").exists():
        with ManagedDirectory(chosen.place, open_key(key)).transaction() as directory:
            for account in directory.all(AccountEntry):
                hidden += [
                    f"{extension.number} of {account.name}"
                    for extension in directory.all(ExtensionEntry, account.account_id)
                    if extension.number in account.emergency_numbers
                ]
    return Finding(
        "emergency",
        not hidden,
        f"hidden by extensions: {', '.join(hidden)}" if hidden else "no extension hides a number",
        "make other extensions for what they lead to, then delete them" if hidden else "",
    )


def _webhooks(opened: Archive) -> Iterator[Finding]:
    """The webhooks that were stopped."""
    from trunkline.engine.process.examine import Finding

    stopped = opened.stopped_webhooks()
    for webhook in stopped:
        yield Finding(
            f"webhook {webhook.id[:8]}",
            False,
            f"of {webhook.account}: {webhook.state}, {webhook.reason}",
            f"mend its receiver, then trunkline webhooks enable {webhook.id}",
        )
    if not stopped:
        yield Finding("webhooks", True, "none was stopped")

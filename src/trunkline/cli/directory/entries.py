"""trunkline account, app, user, device, trunk, number: the directory, by hand.

Each command writes the database itself, in one transaction, and then tells the server that runs on
the same data directory, if one does; so it works with and without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.context import data_directory, settings_of
from trunkline.cli.failure import CommandFailed
from trunkline.cli.output import show_all, show_one
from trunkline.cli.running_server import tell_server

if TYPE_CHECKING:
    from trunkline.store.directory import AccountEntry, DirectoryTransaction, Entry

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Account = Annotated[str, typer.Option(metavar="NAME", help="The account: its name or its id.")]
AccountIf = Annotated[
    str | None, typer.Option(metavar="NAME", help="The account: its name or its id.")
]
Named = Annotated[str, typer.Argument(metavar="NAME", help="Its name or its id.")]


def group(words: str) -> typer.Typer:
    """A group of commands; ``words`` are its help."""
    return typer.Typer(help=words, no_args_is_help=True, rich_markup_mode=None)


_AS_LONG_AS_A_NUMBER = 7

account = group("Accounts: each has its own users, phones, numbers and history.")
app = group("Apps: the credentials with which an application uses the Open API.")
user = group("Users: people with an extension and phones.")
device = group("Devices: SIP phones.")
trunk = group("Trunks: lines to carriers.")
number = group("Numbers: what is called from outside.")


@contextmanager
def directory_of(ctx: typer.Context, changes: bool = False) -> Iterator[DirectoryTransaction]:
    """The directory in one transaction; after one that changes it, the server is told."""
    from trunkline.directory.rules import DirectoryRefused
    from trunkline.store.directory import ManagedDirectory
    from trunkline.store.secrets import KeyUnusable, open_key

    settings = settings_of(ctx)
    data = data_directory(settings)
    try:
        file = ManagedDirectory(settings.place, open_key(data / "secret.key"))
        with file.transaction() as directory:
            yield directory
    except (DirectoryRefused, KeyUnusable) as error:
        raise CommandFailed(str(error)) from error
    if changes:
        tell_server(data)


def find_account(directory: DirectoryTransaction, name: str) -> AccountEntry:
    """The account with that name or id."""
    from trunkline.store.directory import AccountEntry
    from trunkline.work.manage.manage_directory import find

    return find(directory, AccountEntry, name)


def shown(entry: Entry, **more: Any) -> dict[str, Any]:
    """The entry's keys, its enabled switch last; ``more`` are secrets, shown this once."""
    import msgspec

    keys = msgspec.to_builtins(entry)
    last = {"enabled": keys.pop("enabled")} if "enabled" in keys else {}
    return {**keys, **more, **last}


def listed(text: str) -> list[str]:
    """What stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


@account.command("create")
def create_account(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    timezone: Annotated[str, typer.Option(metavar="TZ", help="IANA time zone.")] = "UTC",
    caller_id: Annotated[
        str | None, typer.Option(metavar="N", help="Shown to outside parties.")
    ] = None,
    allow: Annotated[
        str, typer.Option(metavar="P,P", help="Prefixes that may be dialled; all if not given.")
    ] = "",
    deny: Annotated[
        str, typer.Option(metavar="P,P", help="Prefixes that may not be dialled.")
    ] = "",
    no_record: Annotated[bool, typer.Option("--no-record", help="Do not record calls.")] = False,
    as_json: Json = False,
) -> None:
    """Add an account."""
    from trunkline.work.manage import manage_directory as manage

    with directory_of(ctx, changes=True) as directory:
        entry = manage.create_account(
            directory,
            name,
            timezone=timezone,
            caller_id=caller_id,
            allow=listed(allow),
            deny=listed(deny),
            record=not no_record,
        )
    show_one(shown(entry), as_json)


@app.command("create")
def create_app(
    ctx: typer.Context,
    account: Account,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    addresses: Annotated[
        str,
        typer.Option(
            "--from", metavar="IP,IP", help="Where it may ask from; anywhere if not given."
        ),
    ] = "",
    signed_only: Annotated[
        bool, typer.Option("--signed-only", help="Refuse the API list's plain hashes.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may not place calls.")] = False,
    as_json: Json = False,
) -> None:
    """Add an app, and show its secret: this once."""
    from trunkline.work.manage import manage_directory as manage

    with directory_of(ctx, changes=True) as directory:
        entry, secret = manage.create_app(
            directory,
            find_account(directory, account),
            name,
            allowed_addresses=listed(addresses),
            legacy_hashes=not signed_only,
            read_only=read_only,
        )
    show_one(shown(entry, appSecret=secret), as_json)


@user.command("create")
def create_user(
    ctx: typer.Context,
    username: Annotated[str, typer.Argument(metavar="USERNAME")],
    account: Account,
    name: Annotated[str, typer.Option(metavar="TEXT", help="Their name, for people.")] = "",
    extension: Annotated[str | None, typer.Option(metavar="N", help="Their number inside.")] = None,
    caller_id: Annotated[
        str | None, typer.Option(metavar="N", help="Shown to outside parties.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a user."""
    from trunkline.work.manage import manage_directory as manage

    with directory_of(ctx, changes=True) as directory:
        entry = manage.create_user(
            directory,
            find_account(directory, account),
            username,
            name=name,
            extension=extension,
            caller_id=caller_id,
        )
    show_one(shown(entry), as_json)


@user.command("set")
def set_user(
    ctx: typer.Context,
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="The name or the id.")],
    account: Account,
    busy: Annotated[
        str | None,
        typer.Option(metavar="KIND:NAME", help="Where calls go on when busy; '' to end."),
    ] = None,
    no_answer: Annotated[
        str | None, typer.Option(metavar="KIND:NAME", help="… when nobody answers.")
    ] = None,
    offline: Annotated[
        str | None, typer.Option(metavar="KIND:NAME", help="… when no phone can be reached.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Set where a user's calls go on, as user:USERNAME, outside:NUMBER, hangup:CAUSE or announcement:NAME."""
    from trunkline.store.directory import UserEntry
    from trunkline.work.manage.manage_destinations import lead_on
    from trunkline.work.manage.manage_directory import find

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        id_ = find(directory, UserEntry, username, owner.account_id).user_id
        for on, to in (("busy", busy), ("no_answer", no_answer), ("offline", offline)):
            lead_on(directory, owner, id_, on, to)
        entry = find(directory, UserEntry, id_)
    show_one(shown(entry), as_json)


@device.command("create")
def create_device(
    ctx: typer.Context,
    account: Account,
    user: Annotated[str, typer.Option(metavar="USERNAME", help="Whose it is.")],
    sip_user: Annotated[str, typer.Option(metavar="S", help="Its SIP user name.")],
    sip_password: Annotated[
        str | None, typer.Option(metavar="P", help="Its SIP password; made if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a SIP phone, and show its password: this once."""
    from trunkline.store.directory import UserEntry
    from trunkline.work.manage import manage_directory as manage

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        entry, password = manage.create_device(
            directory,
            owner,
            manage.find(directory, UserEntry, user, owner.account_id),
            sip_user,
            realm=settings_of(ctx).sip_realm,
            password=sip_password,
        )
    if len(sip_user) >= _AS_LONG_AS_A_NUMBER and sip_user.isdigit():
        typer.echo(
            f"warning: {sip_user} looks like a telephone number: a call from outside whose caller has "
            "that number would be asked for this device's password. A name with a letter in it is safe",
            err=True,
        )
    show_one(shown(entry, sipPassword=password), as_json)


@trunk.command("create")
def create_trunk(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    account: Account,
    host: Annotated[str, typer.Option(metavar="HOST:PORT", help="The carrier's address.")],
    auth_user: Annotated[str | None, typer.Option(metavar="U", help="User at the carrier.")] = None,
    auth_password: Annotated[
        str | None, typer.Option(metavar="P", help="Password at the carrier.")
    ] = None,
    register: Annotated[bool, typer.Option("--register", help="Register at the carrier.")] = False,
    match: Annotated[
        str, typer.Option(metavar="IP,IP", help="Where its calls come from; the host if not given.")
    ] = "",
    transport: Annotated[str, typer.Option(help="udp, tcp or tls.")] = "udp",
    priority: Annotated[int, typer.Option(min=0, max=1000, help="The lowest is dialled by.")] = 10,
    as_json: Json = False,
) -> None:
    """Add a line to a carrier."""
    from trunkline.work.manage import manage_directory as manage

    with directory_of(ctx, changes=True) as directory:
        entry = manage.create_trunk(
            directory,
            find_account(directory, account),
            name,
            host,
            transport=transport,
            auth_user=auth_user,
            auth_password=auth_password,
            register=register,
            match=listed(match),
            priority=priority,
        )
        shared = manage.accounts_at_the_same_address(directory, entry)
    if shared:
        typer.echo(
            f"warning: a trunk of {', '.join(shared)} takes calls from the same address: a call that "
            "comes in from there is taken for one of the two, whatever its number. Calls out are not "
            "affected; for calls in, give each account a carrier address of its own (--match)",
            err=True,
        )
    show_one(shown(entry), as_json)


@number.command("create")
def create_number(
    ctx: typer.Context,
    did: Annotated[str, typer.Argument(metavar="DID")],
    account: Account,
    to: Annotated[str, typer.Option(metavar="KIND:NAME", help="Where its calls go.")],
    as_json: Json = False,
) -> None:
    """Add an inbound number; it leads to user:USERNAME, outside:NUMBER, hangup:CAUSE or announcement:NAME."""
    from trunkline.work.manage import manage_directory as manage
    from trunkline.work.manage.manage_destinations import destination

    with directory_of(ctx, changes=True) as directory:
        owner = find_account(directory, account)
        entry = manage.create_number(directory, owner, did, destination(directory, owner, to))
    show_one(shown(entry), as_json)


@number.command("set")
def set_number(
    ctx: typer.Context,
    did: Annotated[str, typer.Argument(metavar="DID", help="The number or its id.")],
    account: Account,
    to: Annotated[str, typer.Option(metavar="KIND:NAME", help="Where its calls go from now on.")],
    as_json: Json = False,
) -> None:
    """Lead a number elsewhere: to user:USERNAME, outside:NUMBER, hangup:CAUSE or announcement:NAME."""
    show_one(shown(lead_elsewhere(ctx, "number", did, account, to)), as_json)


def lead_elsewhere(ctx: typer.Context, word: str, name: str, account: str, to: str) -> Any:
    """Have a number or an extension lead to KIND:NAME; gives it as it is then. Raises CommandFailed."""
    from trunkline.work.manage.manage_destinations import destination
    from trunkline.work.manage.manage_directory import entry_id

    with directory_of(ctx, changes=True) as directory:
        owner, kind = find_account(directory, account), _kind(word)
        id_ = entry_id(kind, _find(directory, word, name, owner.account_id))
        directory.lead(kind, id_, destination(directory, owner, to))
        return directory.called(kind, id_)[0]


def _kind(word: str) -> Any:
    from trunkline.work.manage.manage_directory import WORDS

    return next(kind for kind, its_word in WORDS.items() if its_word == word)


def _find(directory: DirectoryTransaction, word: str, name: str, account: str | None) -> Any:
    from trunkline.work.manage.manage_directory import find

    account_id = find_account(directory, account).account_id if account else None
    return find(directory, _kind(word), name, account_id)


def add_common(typer_: typer.Typer, word: str, switched: bool = True) -> None:
    """list, show, enable, disable and delete: the same for each kind."""

    @typer_.command("list", help=f"List {word}s.")
    def list_all(ctx: typer.Context, account: AccountIf = None, as_json: Json = False) -> None:
        with directory_of(ctx) as directory:
            account_id = find_account(directory, account).account_id if account else None
            entries = directory.all(_kind(word), account_id)
        show_all([shown(entry) for entry in entries], as_json)

    @typer_.command("show", help=f"Show one {word}.")
    def show(
        ctx: typer.Context, name: Named, account: AccountIf = None, as_json: Json = False
    ) -> None:
        with directory_of(ctx) as directory:
            entry = _find(directory, word, name, account)
        show_one(shown(entry), as_json)

    @typer_.command("delete", help=f"Delete {_one(word)} and what is its own.")
    def delete(
        ctx: typer.Context, name: Named, account: AccountIf = None, as_json: Json = False
    ) -> None:
        from trunkline.work.manage import manage_directory as manage

        with directory_of(ctx, changes=True) as directory:
            entry = _find(directory, word, name, account)
            manage.delete(directory, _kind(word), entry)
        show_one({**shown(entry), "deleted": True}, as_json)

    if switched:
        _add_switch(typer_, word, "enable", True)
        _add_switch(typer_, word, "disable", False)


def _one(word: str) -> str:
    return f"an {word}" if word[0] in "aeio" else f"a {word}"  # "user" is said with a y


def _add_switch(typer_: typer.Typer, word: str, verb: str, enabled: bool) -> None:
    @typer_.command(verb, help=f"{verb.capitalize()} {_one(word)}.")
    def switch(
        ctx: typer.Context, name: Named, account: AccountIf = None, as_json: Json = False
    ) -> None:
        from trunkline.work.manage import manage_directory as manage

        with directory_of(ctx, changes=True) as directory:
            kind = _kind(word)
            entry = _find(directory, word, name, account)
            entry = manage.switch(directory, kind, entry, enabled)
        show_one(shown(entry), as_json)


for _word, _typer in (
    ("account", account),
    ("app", app),
    ("user", user),
    ("device", device),
    ("trunk", trunk),
    ("number", number),
):
    add_common(_typer, _word)

"""What the commands for each kind of entry share: list, show, enable, disable, delete, and printing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from trunkline.cli.directory.transaction import account_id_of, directory_of, find_account
from trunkline.cli.options import AccountIf, Json, Named
from trunkline.cli.output import show_all, show_one

if TYPE_CHECKING:
    from trunkline.store.directory import DirectoryTransaction, Entry


def shown(entry: Entry, **more: Any) -> dict[str, Any]:
    """The entry's keys, its enabled switch last; ``more`` are secrets, shown this once."""
    import msgspec

    keys = msgspec.to_builtins(entry)
    last = {"enabled": keys.pop("enabled")} if "enabled" in keys else {}
    return {**keys, **more, **last}


def lead_elsewhere(ctx: typer.Context, word: str, name: str, account: str, to: str) -> Any:
    """Have a number or an extension lead to KIND:NAME; returns it as it is then."""
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

    return find(directory, _kind(word), name, account_id_of(directory, account))


def add_entry_commands(typer_: typer.Typer, word: str, switched: bool = True) -> None:
    """list, show, enable, disable and delete: the same for each kind."""

    @typer_.command("list", help=f"List {word}s.")
    def list_all(ctx: typer.Context, account: AccountIf = None, as_json: Json = False) -> None:
        with directory_of(ctx) as directory:
            account_id = account_id_of(directory, account)
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

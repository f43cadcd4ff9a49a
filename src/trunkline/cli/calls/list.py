"""trunkline calls list: the calls that live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from trunkline.cli.calls.show import who
from trunkline.cli.opening import account_called, archive, local
from trunkline.cli.options import Json, OneAccount
from trunkline.cli.output import show_all

if TYPE_CHECKING:
    from trunkline.calls.call import Call
    from trunkline.store.ports.archive import Account


def list_calls(ctx: typer.Context, account: OneAccount = None, as_json: Json = False) -> None:
    """List the calls that live now, oldest first.

    What is over is in `trunkline history`.
    """
    with archive(ctx) as opened:
        account_id = account_called(opened, account).id if account else None
        known = {each.id: each for each in opened.accounts()}
        rows = [
            _live(call, known[call.account_id])
            for call in opened.live(account_id)
            if call.account_id in known
        ]
    show_all(rows, as_json)


def _live(call: Call, account: Account) -> dict[str, Any]:
    from trunkline.events.state import call_status

    return {
        "callId": call.id,
        "account": account.name,
        "started": local(call.started_at, account.timezone),
        "caller": who(call.caller),
        "callee": who(call.callee) or call.dialled,
        "state": call_status(call),
        "legs": sum(leg.ended_at is None for leg in call.legs.values()),
    }

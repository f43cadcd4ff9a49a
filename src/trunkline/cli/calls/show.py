"""trunkline calls show: one call in full, its record, its legs, its events and its SIP messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from trunkline.cli.failure import CommandFailed
from trunkline.cli.opening import archive, local
from trunkline.cli.options import Json
from trunkline.cli.output import show_all, show_one

if TYPE_CHECKING:
    from trunkline.calls.call import Call, Leg, Step
    from trunkline.calls.facts import Party
    from trunkline.calls.quality import Quality
    from trunkline.sip.message import SipMessage
    from trunkline.store.ports.archive import Archive

_CLOCK = "%H:%M:%S.%f"
_PARTS = ("path", "legs", "events", "sipMessages", "moreSipMessages")
_ALL = 1 << 62
_MOST_SIP_MESSAGES = 500


def show(
    ctx: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    as_json: Json = False,
) -> None:
    """Show one call: its record (or how far it is), its path, its legs, its events and its SIP messages.

    Path, legs, events and SIP messages are kept for `journal_days`, `event_days` and `sip_trace_days`.
    `--json` has the whole text of each SIP message.
    """
    with archive(ctx) as opened:
        whole, trunks = whole_call(opened, call_id), opened.trunk_names()
    if as_json:
        typer.echo(msgspec.json.encode(whole).decode())
    else:
        print_call(whole, trunks)


def whole_call(opened: Archive, call_id: str) -> dict[str, Any]:
    """The call with camelCase keys; raises CommandFailed. Its ``_PARTS`` are last.

    Times are unix microseconds. Events are as they were sent.
    """
    record, call = opened.record(call_id), opened.call(call_id)
    shown = _recorded(record) if record else _unrecorded(call) if call else None
    if shown is None:
        raise CommandFailed(
            f"there is no call {call_id!r}: see trunkline calls list and trunkline history"
        )
    events = opened.call_events(shown["accountId"], call_id, 0, _ALL)
    names = {each.id: each for each in opened.accounts()}
    account = names.get(shown["accountId"])
    return {
        **shown,
        "account": account.name if account else None,
        "timezone": account.timezone if account else "UTC",
        "path": [_step(step) for step in call.path] if call else [],
        "legs": [_leg(leg) for leg in call.legs.values()] if call else [],
        "events": [msgspec.Raw(event.body) for event in events],
        **_sip(opened, shown["accountId"], call_id),
    }


def print_call(whole: dict[str, Any], trunks: Mapping[str, str]) -> None:
    """Print the call for people: times in the account's time zone, an event in a line.

    ``trunks``: endpoint -> name.
    """
    zone = whole["timezone"]
    legs = [_named(leg, "endpoint", trunks) for leg in whole["legs"]]
    head = {key: value for key, value in whole.items() if key not in _PARTS}
    head = _named(head, "trunk", trunks)
    show_one(
        {key: _clock(key, value, zone, "%Y-%m-%d %H:%M:%S") for key, value in head.items()}, False
    )
    path = [{k: v for k, v in step.items() if k != "id"} for step in whole["path"]]
    shown = [{k: v for k, v in leg.items() if k != "quality"} for leg in legs]
    for part, rows in (("path", path), ("legs", shown)):
        typer.echo(f"\n{part}")
        show_all(
            [{k: _clock(k, v, zone, "%H:%M:%S") for k, v in row.items()} for row in rows], False
        )
    _print_quality(legs)
    typer.echo("\nevents")
    show_all([_event(msgspec.json.decode(body), zone) for body in whole["events"]], False)
    _print_sip(whole, {leg["legId"]: leg["endpoint"] for leg in legs})


def _named(values: dict[str, Any], key: str, names: Mapping[str, str]) -> dict[str, Any]:
    return {k: names.get(v, v) if k == key else v for k, v in values.items()}


def _sip(opened: Archive, account_id: str, call_id: str) -> dict[str, Any]:
    from trunkline.sip.message import ids_of_messages

    ids = ids_of_messages(call_id, opened.facts(call_id))
    found = opened.sip_messages(account_id, ids, _MOST_SIP_MESSAGES)
    return {
        "sipMessages": [_sip_message(message) for message in found.messages],
        "moreSipMessages": found.more,
    }


def _sip_message(message: SipMessage) -> dict[str, Any]:
    values = {_camel(name): getattr(message, name) for name in message.__struct_fields__}
    values["direction"] = "sent" if values.pop("sent") else "received"
    return values


def _print_sip(whole: dict[str, Any], names: Mapping[str, str]) -> None:
    from trunkline.cli.calls.sip_ladder import ladder

    if not whole["sipMessages"]:
        return
    typer.echo("\nSIP")
    for line in ladder(
        whole["sipMessages"], names, lambda at: local(at, whole["timezone"], _CLOCK)
    ):
        typer.echo(line)
    if whole["moreSipMessages"]:
        typer.echo("and others, which are not shown here", err=True)


def who(party: Party | None) -> str:
    """The party's user name, else its number."""
    return "" if party is None else party.username or party.number


def _clock(key: str, value: Any, zone: str, form: str) -> Any:
    return local(value, zone, form) if key.endswith("At") and value else value


def _recorded(record: dict[str, Any]) -> dict[str, Any]:
    shown = {_camel(key): value for key, value in record.items() if key != "updated_at"}
    del shown["id"]
    return {
        "callId": record["id"],
        "state": "ended",
        **shown,
        "engineDied": bool(record["engine_died"]),
    }


def _unrecorded(call: Call) -> dict[str, Any]:
    from trunkline.events.state import call_status

    return {
        "callId": call.id,
        "state": call_status(call),
        "withdrawn": call.withdrawn,
        "accountId": call.account_id,
        "startedAt": call.started_at,
        "class": call.class_,
        "direction": call.direction,
        "caller": who(call.caller),
        "callee": who(call.callee) or call.dialled,
        "clientRef": call.client_ref,
        "appId": call.app_id,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "id": step.id,
        "party": who(step.party),
        "enteredAt": step.entered_at,
        "leftAt": step.left_at,
        "result": step.result,
    }


def _leg(leg: Leg) -> dict[str, Any]:
    from trunkline.calls.outcome import leg_cause

    return {
        "legId": leg.id,
        "direction": leg.direction,
        "endpoint": leg.endpoint,
        "startedAt": leg.started_at,
        "ringingAt": leg.ringing_at,
        "answeredAt": leg.answered_at,
        "endedAt": leg.ended_at,
        "cause": leg_cause(leg) if leg.ended_at else None,
        "sipCode": leg.sip_code,
        "quality": _quality(leg.quality) if leg.quality else None,
    }


def _quality(of: Quality) -> dict[str, Any]:
    """``codec``, ``roundTripMs``, and of ``received`` and ``sent`` what ``Stream`` says."""
    ways = {"received": of.received, "sent": of.sent}
    return {
        "codec": of.codec,
        "roundTripMs": of.round_trip_ms,
        **{
            way: {_camel(name): getattr(stream, name) for name in stream.__struct_fields__}
            for way, stream in ways.items()
        },
    }


def _print_quality(legs: list[dict[str, Any]]) -> None:
    """A line for each direction of each leg of which something was measured."""
    rows = [
        {
            "endpoint": leg["endpoint"],
            "way": way,
            "codec": found["codec"],
            **found[way],
            "roundTripMs": found["roundTripMs"],
        }
        for leg in legs
        if (found := leg["quality"])
        for way in ("received", "sent")
    ]
    if rows:
        typer.echo("\nquality")
        show_all(rows, False)


def _event(body: dict[str, Any], zone: str) -> dict[str, Any]:
    return {
        "seq": body["Event-Seq"],
        "time": local(int(body["Msg-ID"]), zone, _CLOCK)[:-3],
        "event": body["Event-Name"],
        "leg": body["Call-ID"],
        "cause": body.get("Hangup-Cause") or body.get("Reason"),
        "sip": body.get("Hangup-Code"),
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))

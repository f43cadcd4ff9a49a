"""One row of the engine's log (CEL) -> one fact.

``engine/recorder/cel_event_log.c`` writes the row, and names its columns. The row does not say who owns an endpoint,
or which user an id is: ``whose`` and ``user`` answer that, and the answer goes into the fact, which
needs nobody else from then on.
Source: Asterisk's ``main/cel.c`` and its documentation of CEL events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import parse_qs

import msgspec

from trunkline.calls import facts as f
from trunkline.calls.facts import AnyFact, Party
from trunkline.calls.recording_names import known_format
from trunkline.calls.refusals import known

COLUMNS = 13
_OLDER = 12
"""Columns of a row that an engine of an older version has written: it tells no steady time."""
_QUOTED_PAIR = re.compile(r"\\(.?)", re.DOTALL)
_EVENT = re.compile(r"[A-Z_]+")
_NO_NUMBERS = frozenset({"", "anonymous", "private", "restricted", "unavailable", "unknown"})
"""What stands in the place of a caller's number that is not told (RFC 3323, 4.1; 3GPP TS 29.163)."""
_FIGURE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_STEADY = re.compile(r"[0-9]{0,18}")
_TIME = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))?")


class CelRow(NamedTuple):
    """A CEL row. ``time`` is unix microseconds; ``steady`` the same moment by the machine's monotonic clock, or 0."""

    event: str
    time: int
    unique_id: str
    linked_id: str
    channel: str
    number: str
    name: str
    exten: str
    context: str
    account: str
    user_type: str
    extra: str
    steady: int = 0


class LogPosition(msgspec.Struct, frozen=True):
    """How far a log file has been taken in: which file (its inode), and how many bytes of it."""

    file_id: int
    offset: int


class Owner(Protocol):
    @property
    def kind(self) -> Literal["device", "trunk"]: ...
    @property
    def account_id(self) -> str: ...
    @property
    def device_id(self) -> str | None: ...
    @property
    def user_id(self) -> str | None: ...
    @property
    def username(self) -> str | None: ...
    @property
    def display_name(self) -> str: ...


Whose = Callable[[str], Owner | None]
User = Callable[[str], Party | None]


def parse(columns: Sequence[str]) -> CelRow | None:
    """A row from its columns; None for one that is not whole, or has no event or no time."""
    if len(columns) not in (COLUMNS, _OLDER) or not _EVENT.fullmatch(columns[0]):
        return None
    written = _TIME.fullmatch(columns[1])
    steady = _STEADY.fullmatch("".join(columns[_OLDER:]))
    if written is None or steady is None:
        return None
    time = int(written[1]) * 1_000_000 + int((written[2] or "").ljust(6, "0"))
    texts: list[Any] = [*columns[2:_OLDER], int(steady[0] or 0)]
    return CelRow(columns[0], time, *texts)


def read(row: CelRow, whose: Whose, user: User) -> AnyFact | None:
    reader = _READERS.get(row.event)
    return reader(row, whose, user) if reader else None


class Names(NamedTuple):
    """What a row names that has to be looked up before it is read."""

    endpoint: str | None = None
    user_id: str | None = None


def names(row: CelRow) -> Names:
    """What ``read`` will ask about for this row."""
    if row.event == "CHAN_START":
        return Names(endpoint=endpoint_of(row.channel))
    return Names(user_id=_said(row).get("user")) if row.event in ("ROUTE", "STEP") else Names()


def endpoint_of(channel: str) -> str:
    """``PJSIP/alice-0000002a`` -> ``alice``."""
    return channel.partition("/")[2].rpartition("-")[0]


def _leg_started(row: CelRow, whose: Whose, user: User) -> AnyFact:
    endpoint = endpoint_of(row.channel)
    owner = whose(endpoint)
    kind = owner.kind if owner else ("trunk" if endpoint.startswith("trunk-") else "device")
    # chan_pjsip starts what it dials at extension "s"; nothing that comes in can name that.
    inbound = row.exten not in ("", "s")
    return f.LegStarted(
        call_id=row.linked_id,
        at=row.time,
        leg_id=row.unique_id,
        account_id=row.account or (owner.account_id if owner else ""),
        direction="inbound" if inbound else "outbound",
        endpoint=endpoint,
        endpoint_kind=kind,
        party=_party(endpoint, owner),
        caller_number="" if kind == "trunk" and inbound and _tells_none(row.number) else row.number,
        caller_name=unquoted(row.name) if kind == "trunk" and inbound else row.name,
        dialled=row.exten if inbound else "",
        clock=row.time - row.steady if row.steady else None,
    )


def _tells_none(number: str) -> bool:
    return number.strip().lower() in _NO_NUMBERS


def unquoted(name: str) -> str:
    """A display name without its quoted pairs (RFC 3261, 25.1), with which a carrier sends it."""
    return _QUOTED_PAIR.sub(r"\1", name)


def _party(endpoint: str, owner: Owner | None) -> Party | None:
    if owner is None or owner.kind == "trunk":
        return None
    return Party(
        number=endpoint,
        username=owner.username,
        name=owner.display_name,
        user_id=owner.user_id,
        device_id=owner.device_id,
    )


def _route(row: CelRow, whose: Whose, user: User) -> AnyFact | None:
    said = _said(row)
    if said.get("class") not in ("one_one", "trunking"):
        return None
    return f.RouteChosen(
        call_id=row.linked_id,
        at=row.time,
        leg_id=row.unique_id,
        class_="one_one" if said["class"] == "one_one" else "trunking",
        direction="to_ab" if said.get("direction") == "to_ab" else "from_ab",
        dialled=_number(said.get("dialled", "")),
        callee=user(said["user"]) if said.get("user") else None,
        did_number=_number(said["did"]) if said.get("did") else None,
        shown_as=_number(said.get("cid", "")),
        recording=said.get("rec", ""),
        recording_format=known_format(said.get("form", "")),
        refused=said.get("refused") == "1",
        step_id=said.get("step", ""),
        step_kind=said.get("kind", ""),
    )


def _step_entered(row: CelRow, whose: Whose, user: User) -> AnyFact | None:
    said = _said(row)
    if not said.get("kind"):
        return None
    party = user(said["user"]) if said.get("user") else None
    if party is None and said.get("number"):
        party = Party(number=_number(said["number"]))
    return f.StepEntered(
        **_of_leg(row),
        step_id=said.get("id", ""),
        kind=said["kind"],
        party=party,
        shown_as=_number(said.get("cid", "")),
    )


def _step_left(row: CelRow, whose: Whose, user: User) -> AnyFact | None:
    said = _said(row)
    if not said.get("result"):
        return None
    return f.StepLeft(**_of_leg(row), step_id=said.get("id", ""), result=said["result"])


def _refused(row: CelRow, whose: Whose, user: User) -> AnyFact | None:
    said = _said(row)
    reason = known(said.get("reason"))
    if reason is None:
        return None
    number = _number(said.get("number", ""))
    return f.CallRefused(
        **_of_leg(row), reason=reason, number=number, device=said.get("device", "")
    )


def _measured(row: CelRow, whose: Whose, user: User) -> AnyFact | None:
    """What ``leg-over.conf`` has written of a leg: three texts of ``ast_rtp_instance_get_quality`` (main/rtp_engine.c).

    The first one has the jitter of each direction under the other's name, and that of the last packets only: so the
    means of the second are read. A count of loss is 0 before the first report, too, with which comes a score.
    """
    said = _said(row)
    counts, jitter, rtt = (_figures(said.get(key, "")) for key in ("rtcp", "jitter", "rtt"))
    if "rxcount" not in counts:
        return None
    told = counts.get("rxmes", 0) or jitter.get("maxtxjitter", 0) or counts.get("rlp", 0)
    return f.LegMeasured(
        **_of_leg(row),
        codec=said.get("codec", "").strip("() ").partition("|")[0],
        received=int(counts["rxcount"]),
        received_lost=_lost(counts.get("lp", 0), 32) if counts.get("txmes", 0) else None,
        received_jitter=_microseconds(jitter.get("avgrxjitter", 0)) if counts["rxcount"] else None,
        sent=int(counts.get("txcount", 0)),
        sent_lost=_lost(counts.get("rlp", 0), 24) if told else None,
        sent_jitter=_microseconds(jitter.get("avgtxjitter", 0)) if told else None,
        round_trip=_microseconds(rtt.get("avgrtt", 0)) or None,
    )


def _figures(text: str) -> dict[str, float]:
    """``lp=0;rtt=0.000015`` as numbers; what is none is left out."""
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {name: float(value) for name, _, value in pairs if _FIGURE.fullmatch(value)}


def _lost(count: float, bits: int) -> int:
    """Where packets came twice, fewer than none are lost (RFC 3550, 6.4.1), which Asterisk writes without its sign."""
    return int(count) if count < 1 << (bits - 1) else 0


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _of_leg(row: CelRow) -> dict[str, Any]:
    return {"call_id": row.linked_id, "at": row.time, "leg_id": row.unique_id}


def _said(row: CelRow) -> dict[str, str]:
    told = _extra(row).get("extra")
    return {key: values[0] for key, values in parse_qs(str(told)).items()}


def _number(text: str) -> str:
    # The dialplan writes "+" as it is, which a query string reads as a space.
    return text.replace(" ", "+")


def _plain(kind: Callable[..., AnyFact]) -> Callable[[CelRow, Whose, User], AnyFact]:
    def reader(row: CelRow, whose: Whose, user: User) -> AnyFact:
        return kind(call_id=row.linked_id, at=row.time, leg_id=row.unique_id)

    return reader


def _bridge(kind: Callable[..., AnyFact]) -> Callable[[CelRow, Whose, User], AnyFact | None]:
    def reader(row: CelRow, whose: Whose, user: User) -> AnyFact | None:
        bridge = _extra(row).get("bridge_id")
        if not isinstance(bridge, str):
            return None
        return kind(call_id=row.linked_id, at=row.time, leg_id=row.unique_id, bridge_id=bridge)

    return reader


def _hung_up(row: CelRow, whose: Whose, user: User) -> AnyFact:
    extra = _extra(row)
    cause = extra.get("hangupcause")
    return f.LegHungUp(
        call_id=row.linked_id,
        at=row.time,
        leg_id=row.unique_id,
        cause=cause if isinstance(cause, int) else 0,
        by=extra.get("hangupsource") == row.channel,
        dial_status=str(extra.get("dialstatus", "")),
        # A channel that was masqueraded has the other one's extension (ast_channel_move in main/channel.c).
        taken_over=row.exten not in ("", "s"),
    )


def has_sip_code(row: CelRow) -> bool:
    """May this HANGUP row's cause come from a SIP answer, the far end's or ours?"""
    cause = _extra(row).get("hangupcause")
    return isinstance(cause, int) and cause not in (0, 16, 26)


def far_end_refused(row: CelRow) -> bool:
    """Does this HANGUP row's cause come from a SIP answer of the far end? Then that has a code."""
    return has_sip_code(row) and _extra(row).get("hangupsource") == row.channel


_MEETING = {
    "ATTENDEDTRANSFER": "channel2_uniqueid",
    "PICKUP": "pickup_channel_uniqueid",
}


def met_leg(row: CelRow) -> str | None:
    """The leg of another call that this row brings the row's leg together with, if it does.

    Legs that meet in a bridge need no such row.
    """
    key = _MEETING.get(row.event)
    other = _extra(row).get(key) if key else None
    return other if isinstance(other, str) else None


def _extra(row: CelRow) -> dict[str, Any]:
    if not row.extra:
        return {}
    try:
        extra = msgspec.json.decode(row.extra)
    except msgspec.DecodeError:
        return {}
    return extra if isinstance(extra, dict) else {}


_READERS: dict[str, Callable[[CelRow, Whose, User], AnyFact | None]] = {
    "CHAN_START": _leg_started,
    "ROUTE": _route,
    "STEP": _step_entered,
    "LEFT": _step_left,
    "REFUSED": _refused,
    "PICKUP": _plain(f.LegPickedUp),
    "ANSWER": _plain(f.LegAnswered),
    "BRIDGE_ENTER": _bridge(f.LegJoined),
    "BRIDGE_EXIT": _bridge(f.LegLeft),
    "MEDIA": _measured,
    "HANGUP": _hung_up,
    "CHAN_END": _plain(f.LegEnded),
}

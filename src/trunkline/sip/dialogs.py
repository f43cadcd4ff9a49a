"""Finds the call of each SIP message: messages belong to dialogs, dialogs to legs, legs to calls.

The engine tells the Call-ID of each leg, and its log tells the call and the account of a leg. Until both
are known, a dialog's messages wait here. One Call-ID can be two dialogs of ours, since a carrier may bring
back to us what we sent it: one dialog we began, the other one was begun with us, and our own tag tells
them apart (RFC 3261, section 12). Where legs of two accounts claim one dialog, nobody gets it.

Only an INVITE begins a dialog here: REGISTER, OPTIONS and other messages of no call are not kept.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection

import msgspec

from trunkline.calls.call import Call
from trunkline.sip.message import CapturedSip, SipHead, SipMessage
from trunkline.sip.secrets import blanked

MOST_MESSAGES, MOST_BYTES = 500, 1 << 20
"""Limits for one call."""
MOST_HELD = 32 << 20
"""Limit for all messages that wait, in bytes."""
MOST_DIALOGS = 50_000
MOST_STRANGERS = 100
LONGEST_ID = 512
"""Limit for a Call-ID, tag or branch, in characters: anybody may send INVITEs, and these are remembered."""
_MOST_INVITES = 100
"""Limit for one dialog, each INVITE with its own branch or tag; a dialog with more is disputed."""
LINGER = 60_000_000
"""For so many microseconds after a leg's end its last messages may come (RFC 3261, timers B to J)."""
RINGING = 600_000_000
"""For so many microseconds the leg of a dialog that rings may stay unknown."""
_NEVER_OF_A_CALL = re.compile(rb"\nCSeq[ \t]*:[ \t]*\d+[ \t]+(?:REGISTER|OPTIONS|PUBLISH)\b", re.I)
_ROUNDED = 1000


class TracedCall:
    """The messages of one call that wait to be written, and counts of all that there were."""

    def __init__(self, account_id: str, call_id: str) -> None:
        self.account_id, self.call_id = account_id, call_id
        self.waiting: list[SipMessage] = []
        self.messages = self.bytes = self.skipped = 0

    def take(self, message: SipMessage) -> bool:
        """Queue the message to be written; False when the call has too many."""
        if self.messages >= MOST_MESSAGES or self.bytes + len(message.text) > MOST_BYTES:
            self.skipped += 1
            return False
        self.messages += 1
        self.bytes += len(message.text)
        self.waiting.append(message)
        return True


class Stranger(msgspec.Struct, frozen=True):
    """Somebody knew a dialog's ids, and sent a request in it from where the dialog's other side never was."""

    account_id: str
    call_id: str
    leg_id: str
    method: str
    host: str


class _Leg:
    def __init__(self, call: TracedCall, outbound: bool) -> None:
        self.call, self.outbound = call, outbound
        self.over_at: int | None = None


class _Dialog:
    def __init__(self) -> None:
        self.leg_id: str | None = None
        self.disputed = self.rings = False
        self.tags: set[str] = set()  # ours, in a dialog that we began
        self.theirs: set[tuple[str, str]] = set()  # tag and host of the side that began it
        self.branches: set[str] = set()
        self.places: set[str] = set()  # where its other side is
        self.waiting: list[SipMessage] = []
        self.last = 0


_Key = tuple[str, bool]
"""A Call-ID, and whether we began the dialog."""


class SipDialogs:
    """All SIP dialogs that are going on, sorted by calls. ``ports`` are our SIP ports."""

    def __init__(self, ports: Collection[int], is_local: Callable[[str], bool]) -> None:
        self._ports, self._is_local = ports, is_local
        self._dialogs: dict[_Key, _Dialog] = {}
        self._legs: dict[str, _Leg] = {}
        self._sip_ids: dict[str, str] = {}
        self._over: deque[tuple[int, list[str]]] = deque()
        self._last = 0
        self.changed: dict[int, TracedCall] = {}
        """The calls that have messages waiting, by the ids of their objects."""
        self.held = 0
        """Bytes that wait."""
        self.dropped = 0
        """Messages of calls that were not kept, for lack of room."""
        self.strangers: list[Stranger] = []
        """Those that nobody has taken yet; no more than ``MOST_STRANGERS``."""

    def heard(self, leg_id: str, sip_call_id: str) -> None:
        if sip_call_id and self._sip_ids.get(leg_id) != sip_call_id:
            while len(self._sip_ids) >= MOST_DIALOGS:
                del self._sip_ids[next(iter(self._sip_ids))]
            self._sip_ids[leg_id] = sip_call_id
            self._link(leg_id)

    def follow(self, call: Call, now: int) -> None:
        """The call has changed: it has these legs, and may be over."""
        known = [self._legs[leg_id] for leg_id in call.legs if leg_id in self._legs]
        mine = (leg.call for leg in known if leg.call.call_id == call.id)
        traced = next(mine, None) or TracedCall(call.account_id, call.id)
        for leg in call.legs.values():
            if leg.id not in self._legs:
                self._legs[leg.id] = _Leg(traced, leg.direction == "outbound")
                self._link(leg.id)
            self._legs[leg.id].call = traced
            self._legs[leg.id].over_at = leg.ended_at or (now if call.over else None)
        if call.over and call.merged_into is None:
            self._over.append((now, list(call.legs)))

    def take(self, captured: CapturedSip) -> None:
        """Sort a message in, if it belongs to a call."""
        found = None if _NEVER_OF_A_CALL.search(captured.payload) else blanked(captured.payload)
        if found is None:
            return
        head, text = found
        if max(map(len, (head.call_id, head.from_tag, head.to_tag, head.branch))) > LONGEST_ID:
            self.dropped += 1
            return
        sent = self._sent(captured, head)
        dialog = self._dialog(head, sent, captured)
        if dialog is None or dialog.disputed:
            return
        self._look_who(dialog, head, captured, sent)
        if self.held + len(text) > MOST_HELD:
            self.dropped += 1
            return
        dialog.last = at = self._in_order(captured.at)
        message = _message(dialog.leg_id or "", captured, head, text, sent, at)
        self.held += len(text)
        if dialog.leg_id is None:
            dialog.waiting.append(message)
        else:
            self._give(dialog.leg_id, message)

    def _look_who(self, dialog: _Dialog, head: SipHead, captured: CapturedSip, sent: bool) -> None:
        """Remember where the other side is; whoever sends a request from elsewhere is a stranger.

        Where our own requests go is such a place: the other side has named it.
        """
        if head.method is None:
            return
        host = captured.destination[0] if sent else captured.source[0]
        if sent or (head.method == "INVITE" and not head.to_tag):
            dialog.places.add(host)
        elif dialog.places and host not in dialog.places and len(self.strangers) < MOST_STRANGERS:
            leg = self._legs.get(dialog.leg_id or "")
            account_id, call_id = (leg.call.account_id, leg.call.call_id) if leg else ("", "")
            self.strangers.append(
                Stranger(account_id, call_id, dialog.leg_id or "", head.method, host)
            )

    def forget(self, now: int) -> None:
        """Forget dialogs that are long over, and those that never got a leg."""
        while self._over and self._over[0][0] < now - LINGER:
            for leg_id in self._over.popleft()[1]:
                self._forget_leg(leg_id)
        for key, dialog in list(self._dialogs.items()):
            patience = RINGING if dialog.rings else LINGER
            if dialog.leg_id is None and dialog.last < now - patience:
                self._forget_dialog(key)

    def _give(self, leg_id: str, message: SipMessage) -> None:
        call = self._legs[leg_id].call
        if not call.take(message):
            self.held -= len(message.text)
            self.dropped += 1
        self.changed[id(call)] = call

    def _link(self, leg_id: str) -> None:
        """Give the leg its dialog, once both are known."""
        leg, sip_call_id = self._legs.get(leg_id), self._sip_ids.get(leg_id)
        if leg is None or sip_call_id is None:
            return
        dialog = self._dialogs.setdefault((sip_call_id, leg.outbound), _Dialog())
        other = self._legs.get(dialog.leg_id or "")
        if other is not None and other.call.account_id != leg.call.account_id:
            self._dispute(dialog)
        dialog.leg_id = leg_id
        waiting, dialog.waiting = dialog.waiting, []
        for message in waiting:
            self._give(leg_id, msgspec.structs.replace(message, leg_id=leg_id))

    def _dispute(self, dialog: _Dialog) -> None:
        """Two claim it: from now on it is nobody's."""
        dialog.disputed = True
        self.held -= sum(len(message.text) for message in dialog.waiting)
        dialog.waiting = []

    def _dialog(self, head: SipHead, sent: bool, captured: CapturedSip) -> _Dialog | None:
        if head.method == "INVITE" and not head.to_tag:
            dialog = self._begun((head.call_id, sent), head, captured.at)
            if dialog is not None and sent:
                dialog.tags.add(head.from_tag)
            elif dialog is not None and not dialog.disputed:
                dialog.theirs.add((head.from_tag, captured.source[0]))
                if len(dialog.theirs) > 1:
                    self._dispute(dialog)
            return dialog
        dialog = self._known(head, sent)
        if dialog is not None and head.status and head.of_method == "INVITE":
            dialog.rings = head.status < 200
        return dialog

    def _known(self, head: SipHead, sent: bool) -> _Dialog | None:
        """The dialog of any message but its first INVITE; None where it could belong to either."""
        ours = self._dialogs.get((head.call_id, True))
        theirs = self._dialogs.get((head.call_id, False))
        if ours is not None and ours.tags:
            return ours if head.local_tag(sent) in ours.tags else theirs
        if ours is not None and theirs is not None:  # our dialog is older than this process
            return None
        return ours or theirs

    def _begun(self, key: _Key, head: SipHead, at: int) -> _Dialog | None:
        """The dialog of an INVITE without our tag: a new one, once the leg of the one before is over."""
        dialog = self._dialogs.get(key)
        if dialog is None or self._is_another(dialog, head, at):
            if len(self._dialogs) >= MOST_DIALOGS:
                self.dropped += 1
                return None
            dialog = self._dialogs[key] = _Dialog()
            dialog.last = at
        dialog.branches.add(head.branch)
        if len(dialog.branches) > _MOST_INVITES:
            dialog.branches.clear()
            self._dispute(dialog)
        return dialog

    def _is_another(self, dialog: _Dialog, head: SipHead, at: int) -> bool:
        """Does this INVITE begin another dialog under a Call-ID that was used before?

        A leg that was refused at once can be over before the engine tells of its INVITE.
        """
        leg = self._legs.get(dialog.leg_id or "")
        if leg is None or leg.over_at is None or head.branch in dialog.branches:
            return False
        return bool(dialog.branches) or at > leg.over_at

    def _sent(self, captured: CapturedSip, head: SipHead) -> bool:
        """Did we send it? The address tells or, on one machine, the port, or who made its Via."""
        from_us, to_us = self._is_local(captured.source[0]), self._is_local(captured.destination[0])
        if from_us is not to_us:
            return from_us
        from_us, to_us = captured.source[1] in self._ports, captured.destination[1] in self._ports
        if from_us is not to_us:
            return from_us
        return (head.via_port in self._ports) is (head.method is not None)

    def _in_order(self, at: int) -> int:
        """Asterisk tells of messages in the right order, but rounds the times of received ones to milliseconds."""
        if 0 <= self._last - at < _ROUNDED:
            at = self._last + 1
        self._last = at
        return at

    def _forget_leg(self, leg_id: str) -> None:
        leg, sip_call_id = self._legs.pop(leg_id, None), self._sip_ids.pop(leg_id, None)
        if leg is not None and sip_call_id is not None:
            key = (sip_call_id, leg.outbound)
            dialog = self._dialogs.get(key)
            if dialog is not None and dialog.leg_id == leg_id:
                self._forget_dialog(key)

    def _forget_dialog(self, key: _Key) -> None:
        dialog = self._dialogs.pop(key)
        self.held -= sum(len(message.text) for message in dialog.waiting)


def _message(
    leg_id: str, captured: CapturedSip, head: SipHead, text: str, sent: bool, at: int
) -> SipMessage:
    return SipMessage(
        leg_id=leg_id,
        at=at,
        sent=sent,
        source=_address(captured.source),
        destination=_address(captured.destination),
        transport=head.transport or ("tcp" if captured.stream else "udp"),
        method=head.method,
        status=head.status,
        reason=head.reason,
        cseq=head.cseq,
        text=text,
    )


def _address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""What is true of the calls that were made, as those who made them know it."""

from __future__ import annotations

from dataclasses import dataclass, field

from whole.firm import Says
from whole.party import Call


@dataclass
class TrueCall:
    """One call that was placed: whom it concerns, when people talked in it, what came of it.

    Times are monotonic seconds, but for ``dialled_at``. ``spoke`` is whose tones there are on the left
    and on the right, in their order.
    """

    plan: int
    kind: tuple[str, str]
    caller: str
    callee: str
    did: str | None = None
    clicked: str = ""
    dialled: tuple[str, str] = ("", "")
    """(the username, or the number of whoever is outside; the number) of its INVITE; a click has none."""
    dialled_at: float = 0
    """Unix seconds."""
    status: str = ""
    answered: bool = False
    talks: list[list[float]] = field(default_factory=list)
    """[from, to] of each time in which two people were joined."""
    spoke: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    calls: list[Call] = field(default_factory=list)
    """Every end of it that was answered."""
    reached_outside: bool = False
    """A forward or a transfer led it to an outside party."""
    into: TrueCall | None = None
    disturbed: bool = False
    """Something was killed while it was under way."""
    unplayed: bool = False
    """What was to come in it did not come, which is told as a difference by itself."""

    @property
    def says(self) -> Says:
        return Says(self.kind, self.status, self.caller, self.callee, self.did)

    @property
    def outside(self) -> bool:
        return self.kind[0] == "trunking" or self.reached_outside

    @property
    def seconds(self) -> float:
        """How long people talked."""
        return sum(end - begin for begin, end in self.talks)

    @property
    def late(self) -> float:
        """By how many seconds this machine was late in saying what was to be said."""
        return max((call.voice.late for call in self.calls), default=0)

    def joined(self, at: float, *spoke: tuple[int, int]) -> None:
        """Two are joined from then on; ``spoke`` is (channel, tone) of each."""
        self.answered = True
        self.status = "SUCCESS"
        self.talks.append([at, at])
        for channel, tone in spoke:
            self.spoke[channel].append(tone)

    def cut_off(self, at: float) -> None:
        """Something was killed: who talks is parted, unless that was over before."""
        self.disturbed = True
        if self.talks and self.talks[-1][0] == self.talks[-1][1]:
            self.parted(at)

    def parted(self, at: float) -> None:
        """The two are joined no more."""
        self.talks[-1][1] = max(at, self.talks[-1][0])


@dataclass
class End:
    """One of the two who talk: their end of the call, who they are, and on which channel."""

    call: Call
    name: str
    device: bool
    channel: int

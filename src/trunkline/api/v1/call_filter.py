"""Which calls are asked for: the parameters that lists and exports share, as a filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from msgspec import Meta, field

from trunkline.api.v1.conventions.problems import Fault, parameters_invalid
from trunkline.api.v1.conventions.routing import Parameters
from trunkline.calls.facts import Class, Direction
from trunkline.calls.record import StatusDetail
from trunkline.calls.times import read_rfc3339
from trunkline.history.terms import of_text
from trunkline.store.ports.history import FIRST, LAST, LONGEST_CALL, CallFilter

T = TypeVar("T")

_Text = Annotated[str, Meta(min_length=1, max_length=255)]
_Seconds = Annotated[int, Meta(ge=0, le=LONGEST_CALL)]
_Stamp = Annotated[str, Meta(max_length=40, examples=["2026-11-23T00:00:00+07:00"])]


class CallsFilter(Parameters, frozen=True, kw_only=True):
    """A filter; all that is sent has to hold."""

    q: (
        Annotated[
            _Text,
            Meta(
                description="Words that a name or the note has, or that a number, username, DID, tag "
                "or `client_ref` begins with: each has to be there, as the beginning of one of them."
            ),
        ]
        | None
    ) = None
    number: (
        Annotated[
            _Text,
            Meta(
                description="Either side's number, whatever its `+` and separators; `8428*` is all that "
                "begin so."
            ),
        ]
        | None
    ) = None
    did: Annotated[_Text, Meta(description="The dialled number; `*` as above.")] | None = None
    user: Annotated[_Text, Meta(description="Either side's username.")] | None = None
    trunk: Annotated[_Text, Meta(description="A trunk's id.")] | None = None
    tag: _Text | None = None
    client_ref: _Text | None = None
    call_id: _Text | None = None
    class_: Class | None = field(name="class", default=None)
    direction: Direction | None = None
    status: Annotated[
        tuple[StatusDetail, ...], Meta(description="One of these outcomes.", max_length=10)
    ] = ()
    started_after: (
        Annotated[_Stamp, Meta(description="Started then or later; RFC 3339.")] | None
    ) = None
    started_before: Annotated[_Stamp, Meta(description="Started before that; RFC 3339.")] | None = (
        None
    )
    duration_min: Annotated[_Seconds, Meta(description="Seconds, from start to end.")] = 0
    duration_max: _Seconds = LONGEST_CALL
    billing_min: Annotated[_Seconds, Meta(description="Seconds in which two people talked.")] = 0
    billing_max: _Seconds = LONGEST_CALL
    has_recording: bool | None = None
    hold: Annotated[bool, Meta(description="On legal hold, or not.")] | None = None


def filter_of(query: CallsFilter) -> CallFilter:
    """The filter; raises Problem parameters_invalid."""
    faults: list[Fault] = []
    start = _read(query.started_after, "started_after", read_rfc3339, FIRST, faults)
    end = _read(query.started_before, "started_before", read_rfc3339, LAST, faults)
    _read(query.q, "q", _words, None, faults)
    if faults:
        raise parameters_invalid(faults)
    return CallFilter(
        start=start,
        end=end,
        text=query.q,
        number=query.number,
        did=query.did,
        user=query.user,
        trunk=query.trunk,
        tag=query.tag,
        client_ref=query.client_ref,
        call_id=query.call_id,
        class_=query.class_,
        direction=query.direction,
        statuses=query.status,
        duration=(query.duration_min, query.duration_max),
        billing=(query.billing_min, query.billing_max),
        has_recording=query.has_recording,
        hold=query.hold,
    )


def _read(
    text: str | None, name: str, read: Callable[[str], Any], default: Any, faults: list[Fault]
) -> Any:
    if text is None:
        return default
    try:
        return read(text)
    except ValueError as error:
        faults.append(Fault(f"{error}.", parameter=name))


def _words(text: str) -> None:
    words = of_text(text)
    if not words:
        raise ValueError("Expected a letter or a digit")
    if len(words) > 8:
        raise ValueError("Expected at most 8 words")
